-- Reads all that makes a process: its record, its ties, and its mailbox with every message, in the order in which they are
-- due to be handled; and of its journal the snapshot behind which there is nothing. The events can be read afterwards: those
-- that the record counts do not change.
--
-- Atomic because: a state and the mail that it has not seen belong together. What is in hand counts as not handled yet. It
-- writes nothing.
--
-- KEYS[1] the process record
-- ARGV base, pid, mostMessages, mostBytes
-- Returns {verdict, …}: ok {record} {ties} {id, kind, envelope, queuedAt, due at or "", …} <snapshot or ""> | no_process |
--   starting | too_large <messages> <bytes>
--@include partition
--@include queue

local record = call("HMGET", KEYS[1], "s", "i", "n", "z")
if not record[1] then
  return { "no_process" }
end
if call("HEXISTS", KEYS[1], "d") == 0 then
  return { "starting" }
end
local messages, bytes = tonumber(record[3] or 0), tonumber(record[4] or 0)
if messages > tonumber(ARGV[3]) or bytes > tonumber(ARGV[4]) then
  return { "too_large", messages, bytes }
end

local name = queueName(ARGV[2], record[2])
local queue = queueOf(name)
local found = {}
local function add(id, dueAt)
  local job = call("HMGET", queue .. id, "name", "data", "timestamp")
  if job[1] and job[2] then
    for _, part in ipairs({ id, job[1], job[2], job[3] or "0", dueAt }) do
      found[#found + 1] = part
    end
  end
end
if record[1] ~= "stopped" then
  for _, list in ipairs({ "active", "wait" }) do
    local ids = call("LRANGE", queue .. list, 0, -1)
    for at = #ids, 1, -1 do
      add(ids[at], "")
    end
  end
  for _, id in ipairs(call("ZRANGE", queue .. "prioritized", 0, -1)) do
    add(id, "")
  end
  local delayed = call("ZRANGE", queue .. "delayed", 0, -1, "WITHSCORES")
  for at = 1, #delayed, 2 do
    add(delayed[at], string.format("%.0f", math.floor(tonumber(delayed[at + 1]) / 4096)))
  end
end
local floor = call("HGET", base .. "snapshots:" .. ARGV[2], "base")
return { "ok", call("HGETALL", KEYS[1]), call("HGETALL", base .. "own:" .. name), found, floor or "" }
