-- Begins an incarnation of a process: the record, its place in the index, and `start` as the first message of a new
-- mailbox. A stopped process whose state was kept begins again with that state.
--
-- Atomic because: of twenty starts of one pid exactly one may begin it, and a record without its first message would be
-- a process that never runs.
-- The answer is lost: the repeat carries the same id and finds it known. The worker dies before init: the pid is in its
-- busy set and moves with it.
--
-- KEYS[1] the process record
-- ARGV base, pid, id, envelope, hash, options
-- Returns {verdict, detail, initId}: queued | known <text> | exists <status> <id of its init> | no_workers
--@include partition
--@include queue
--@include add
--@include begin

local pid, id = ARGV[2], ARGV[3]

local known = call("GET", outcomeKey(id))
if known then
  return { "known", known, "" }
end
local record = call("HMGET", KEYS[1], "s", "y")
if record[1] and record[1] ~= "stopped" then
  return { "exists", record[1], record[2] or "" }
end
local worker = pickWorker(moduleOf(pid))
if not worker then
  return { "no_workers", "", "" }
end
begin(KEYS[1], pid, id, ARGV[4], ARGV[5], ARGV[6], record[1], worker, clock())
return { "queued", "", "" }
