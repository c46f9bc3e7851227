-- Takes back a message that is still queued or delayed.
--
-- Atomic because: a message must be either handled or taken back. One that a worker has in hand is not
-- taken back, nor is a start.
--
-- KEYS[1] the message's outcome key
-- ARGV base, id
-- Returns dropped | unknown | settled | running
--@include partition
--@include queue
--@bullmq removeJob

local id = ARGV[2]
local known = call("GET", KEYS[1])
if not known then
  return "unknown"
end
local name = string.match(known, "^q|[^|]*|(.+)$")
if not name then
  -- The answer of an earlier request may have been lost.
  return string.find(known, '"code":"cancelled"', 1, true) and "dropped" or "settled"
end
local queue = queueOf(name)
local job = call("HMGET", queue .. id, "data", "name")
local envelope = job[1]
if not envelope then
  return call("HEXISTS", base .. "defer:" .. name, id) == 1 and "running" or "unknown"
end
local isDelayed = call("ZSCORE", queue .. "delayed", id)
-- Without its start a process would begin for ever.
if job[2] == "start" or not isDelayed and not call("LPOS", queue .. "wait", id) then
  return "running"
end
removeJob({ queue .. id, queue .. "repeat" }, { id, "0", queue })
local record = base .. "proc:" .. string.match(name, "^[^@]+")
local fields = call("HMGET", record, "i", "b", "o")
if fields[1] == string.match(name, "@(.+)$") then
  local left = call("HINCRBY", record, "n", -1)
  call("HINCRBY", record, "z", -#envelope)
  if isDelayed then
    call("HINCRBY", record, "w", -1)
  end
  if left == 0 and fields[2] ~= "1" and not isLive(fields[3]) then
    clearBooks(queue)
    call("ZREM", base .. "due", string.match(name, "^[^@]+"))
    call("HDEL", record, "n", "z", "w")
  end
end
call("HDEL", base .. "defer:" .. name, id)
count("queued", -1)
if isDelayed then
  count("delayed", -1)
end
local session, hash, keepMs = string.match(envelope, ENVELOPE)
settle(id, session, hash, keepMs, '{"status":"dropped","error":{"code":"cancelled","detail":"the message was taken back"}}')
sendReplies()
return "dropped"
