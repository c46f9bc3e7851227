-- Notes on a message in hand that it is ending its node, with the stack in which it was found; on the continuation that is
-- owed, where there is no message.
--
-- Atomic because: only the message's own lease may be blamed; one that has moved on is innocent.
--
-- KEYS[1] the process record
-- ARGV base, pid, session, id, stack
-- Returns 1, or 0 where the session does not have the message in hand.
--@include partition
--@include queue

local record = call("HMGET", KEYS[1], "o", "i", "q")
if record[1] == ARGV[3] and record[3] and ARGV[4] == "" then
  call("HINCRBY", KEYS[1], "j", 1)
  return 1
end
local queue = queueOf(queueName(ARGV[2], record[2] or ""))
if record[1] ~= ARGV[3] or not call("LPOS", queue .. "active", ARGV[4]) then
  return 0
end
call("HINCRBY", queue .. ARGV[4], "stc", 1)
call("HSET", queue .. ARGV[4], "blame", ARGV[5])
return 1
