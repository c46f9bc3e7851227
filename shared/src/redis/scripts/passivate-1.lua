-- Puts an idle process to sleep: gives its lease up and deletes what BullMQ keeps for an empty mailbox. Its state, its dead
-- letters and its delayed messages stay.
--
-- Atomic because: a message that arrives between "nothing waits" and the deletions would lose its queue's books. Fenced
-- like a commit. The answer is lost: the worker forgets the process either way; the next message finds no live owner, or
-- finds this session, which claims it anew.
--
-- KEYS[1] the process record
-- ARGV base, pid, session, epoch, revision
-- Returns 1; 0 where the lease was not held any more; -1 where mail was there, or the mailbox is held back.
--@include partition
--@include queue

local pid, session = ARGV[2], ARGV[3]
local record = call("HMGET", KEYS[1], "o", "e", "r", "i", "b", "s", "q", "w", "p")
if record[1] ~= session or record[2] ~= ARGV[4] or record[3] ~= ARGV[5] then
  return 0
end
if record[5] == "1" or record[6] ~= "alive" or record[7] then
  return -1
end
local queue = queueOf(queueName(pid, record[4]))
if record[9] or call("EXISTS", queue .. "wait", queue .. "active", queue .. "prioritized") > 0 then
  return -1
end
clearBooks(queue)
call("SREM", base .. "held:" .. session, pid)
call("HSET", KEYS[1], "o", "")
call("HDEL", KEYS[1], "c", "b", "x", "k")
if tonumber(record[8] or 0) == 0 then
  call("HDEL", KEYS[1], "n", "z", "w")
end
return 1
