-- Holds a process back: its mail is kept and nothing runs until it is resumed. Overtakes all mail, for it is a field of the
-- record and no message.
--
-- A turn that is under way ends and is committed: it cannot be taken back, but what was fetched behind it is put back, and
-- the worker gives the process up. That is why the pid is left with, or put into the busy set of, an owner that may have the
-- process in memory: woken now, or on its next beat, it claims, is told `held`, and ends its lease with a last commit.
--
-- Atomic because: between "is it there" and the mark the process could end, and a mark on nothing would be a record that
-- nobody deletes; and a process must not lie in a ready set, marked, where a worker that joins is handed it.
-- - A message is in the hand of a worker that then dies: the busy set still has the pid; the eviction moves it and notes the
--   death; the heir claims, is told `held`, and takes it out. After the resume the next claim puts the message back at the
--   head and counts the death. Weaker: taken out of the busy set here, a message that ends nodes would have a death too few.
-- - A message was put into its owner's hand and the publication is lost: the pid is in the busy set, as above.
-- - A claim that was under way comes after this: `held`. A claim just before it has what it fetched in `active`, and its
--   commit puts back what it has not handled.
-- - A message is accepted afterwards: lib/accept.lua puts nothing into anybody's hand while `p` is there, and wakes nobody.
-- - Its mailbox waits for the next try of a failed message: the pause takes that wait's place, and the resume tries at once.
-- - Twice, or of what is quarantined: nothing changes.
-- - Before init has committed: refused. The caller of the start waits, and kill is what ends a start.
--
-- KEYS[1] the process record
-- ARGV base, pid
-- Returns {verdict, why}: held paused | held quarantined | no_process | starting
--@include partition
--@include queue
--@include hold

local record = call("HMGET", KEYS[1], "s", "p")
if not record[1] or record[1] == "stopped" then
  return { "no_process", "" }
end
if isHeldByPerson(record[2]) then
  return { "held", record[2] }
end
if record[1] == "starting" then
  return { "starting", "" }
end
hold(KEYS[1], ARGV[2], "paused", "")
return { "held", "paused" }
