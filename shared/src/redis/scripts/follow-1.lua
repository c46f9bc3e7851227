-- Has the history of a process kept, from now until a time from now; a later time than there was counts.
--
-- Atomic because: a record that is made here, of a process that has just gone, would be nobody's.
-- Idempotent, but for the time. The answer is lost: it is asked again.
--
-- KEYS[1] the process record
-- ARGV base, pid, ms
-- Returns {id of the history's last entry or "0-0", incarnation, revision}; or {""} where there is no process
--@include partition

local key = base .. "history:" .. ARGV[2]
local record = call("HMGET", KEYS[1], "m", "i", "r")
if not record[2] then
  return { "" }
end
local untilMs = string.format("%.0f", math.max(tonumber(record[1] or 0), clock() + tonumber(ARGV[3])))
call("HSET", KEYS[1], "m", untilMs)
call("PEXPIREAT", key, untilMs)
local last = call("XREVRANGE", key, "+", "-", "COUNT", 1)[1]
return { last and last[1] or "0-0", record[2], record[3] }
