-- Lets a process go on that was held back for the reason given: `paused` or `quarantined`.
--
-- Atomic because: between the mark's end and the busy set a message that is accepted would find a process that has mail and
-- is in nobody's set: it would wait until the one after it.
-- - Twice, or of a process that is not held back for this reason: nothing changes, and the answer says what is true.
-- - Before the owner has ended its lease: its commit, or its claim, finds no mark any more and goes on.
-- - The owner has died meanwhile: a live worker is picked; where none runs the module the pid waits in `ready`.
-- - Delayed messages that fell due meanwhile: the due entry may have been rung in vain, so it is entered anew.
--
-- KEYS[1] the process record
-- ARGV base, pid, why
-- Returns {verdict, status, b, p}: ok <s> <1 where there is mail> <what holds it back now, or ""> | no_process
--@include partition
--@include queue
--@include hold

local record = call("HMGET", KEYS[1], "s", "p")
if not record[1] or record[1] == "stopped" then
  return { "no_process" }
end
if record[2] == ARGV[3] then
  letGo(KEYS[1], ARGV[2], ARGV[3], clock())
end
local after = call("HMGET", KEYS[1], "b", "p")
return { "ok", record[1], after[1] or "", after[2] or "" }
