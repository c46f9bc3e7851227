-- Drops what would be handled next of a process that is held back by a person: the continuation that it is owed, else the
-- message at the head. Whoever waits for that message is told `skipped`.
--
-- A timer's tick takes its timer with it, unless that was set anew since; a DOWN its monitor, an exit signal and an unlink
-- the references of the link that they name: each would otherwise stand in the books for ever.
--
-- Atomic because: the head may be another one by the time that it is dropped. Refused while a live worker may have the
-- process in memory: it ends its lease at once, or when its turn has ended. What a dead worker had in hand is at the head.
-- The answer is lost: the repeat carries the same id and finds what was done; it drops no second message.
--
-- KEYS[1] the process record
-- ARGV base, pid, id, hash, keepMs, expected message id or ""
-- Returns {verdict, …}: skipped <reply> | known <text> | no_process | not_paused | in_hand | empty | start | other <id>
--@include partition
--@include queue
--@include hold

local pid, expected = ARGV[2], ARGV[6]
local known = call("GET", outcomeKey(ARGV[3]))
if known then
  return { "known", known }
end
local record = call("HMGET", KEYS[1], "s", "p", "o", "c", "i", "q", "n", "z", "x")
if not record[1] or record[1] == "stopped" then
  return { "no_process" }
end
if not isHeldByPerson(record[2]) then
  return { "not_paused" }
end
if isInMemory(record[3], record[4]) then
  return { "in_hand" }
end

local function finish(reply)
  settle(ARGV[3], "", ARGV[4], ARGV[5], '{"status":"done","reply":' .. reply .. "}")
  sendReplies()
  return { "skipped", reply }
end

if record[6] then
  if expected ~= "" then
    return { "other", "" }
  end
  call("HDEL", KEYS[1], "q", "j")
  return finish('{"kind":"continue"}')
end

local name = queueName(pid, record[5])
local queue = queueOf(name)
local id, source
for _, list in ipairs({ "active", "wait" }) do
  source = queue .. list
  id = call("LINDEX", source, -1)
  if id then
    break
  end
end
local isListed = id and true or false
if not id then
  id = call("ZRANGE", queue .. "prioritized", 0, 0)[1]
end
if not id then
  return { "empty" }
end
if expected ~= "" and id ~= expected then
  return { "other", id }
end
local job = call("HMGET", queue .. id, "name", "data")
local kind, envelope = job[1] or "info", job[2] or ""
if kind == "start" then
  return { "start" }
end

local function decode(text)
  local isDecoded, decoded = pcall(cjson.decode, text)
  return isDecoded and type(decoded) == "table" and decoded or {}
end

local own = base .. "own:" .. name

-- The tie that a message is about, or nil; of a timer its name, of a link the other and the references that the message
-- names. `m` stands last in an envelope; what is before it can be read whatever the message is.
local function tieOf()
  local timer = decode((string.match(envelope, '^(.-),"m":') or "") .. "}").t
  if type(timer) == "string" then
    local isItsOwn = string.find(call("HGET", own, "t:" .. timer) or "", '"id":"' .. id .. '"', 1, true)
    if isItsOwn then
      return "t:" .. timer, timer
    end
    return nil
  end
  local message = decode(envelope).m
  local content = type(message) == "table" and message or {}
  if kind == "down" and type(content.ref) == "string" then
    return "m:" .. content.ref
  elseif (kind == "exit" or kind == "unlink") and type(content.refs) == "table" and type(content.pid) == "string" then
    local refs = {}
    for _, ref in ipairs(content.refs) do
      refs[#refs + 1] = tostring(ref)
    end
    return "l:" .. content.pid, nil, content.pid, table.concat(refs, " ")
  end
end

local wasInHand = source == queue .. "active" and isListed
if isListed then
  call("LREM", source, -1, id)
else
  call("ZREM", queue .. "prioritized", id)
end
call("DEL", queue .. id)
call("HDEL", base .. "defer:" .. name, id)
call("HSET", KEYS[1], "n", math.max(0, tonumber(record[7] or 0) - 1), "z", math.max(0, tonumber(record[8] or 0) - #envelope))
if wasInHand then
  -- Whoever was beside it in that hand is not to blame.
  call("HDEL", KEYS[1], "k", "c")
else
  count("queued", -1)
  if tonumber(record[9] or 0) > 0 then
    call("HINCRBY", KEYS[1], "x", -1)
  end
end
local tie, timer, linked, refs = tieOf()
if tie then
  local left = ""
  if linked then
    --@include links
    unwatchLink(pid, linked, refs)
    left = without(call("HGET", own, tie) or "", refs)
  end
  if left == "" then
    call("HDEL", own, tie)
  else
    call("HSET", own, tie, left)
  end
end
local session, hash, keepMs = string.match(envelope, ENVELOPE)
settle(id, session or "", hash or "", keepMs or "60000",
  '{"status":"dropped","error":{"code":"skipped","detail":"the message was skipped by an operator"}}')
return finish('{"messageId":"' .. id .. '","kind":"' .. kind .. '"'
  .. (timer and ',"timer":' .. cjson.encode(timer) or "") .. "}")
