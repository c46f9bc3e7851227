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
--@bullmq addStandardJob
--@bullmq addDelayedJob
--@include add

local pid, id, envelope, hash, options = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

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

local now = clock()
local incarnation = call("INCR", base .. "seq")
local name = queueName(pid, incarnation)
local queue = queueOf(name)
reserve(id, hash, name, 0)
if record[1] then
  count("stopped", -1)
else
  call("ZADD", base .. "index", 0, pid)
  call("HSET", KEYS[1], "r", 0, "t", 0)
end
call("HSET", KEYS[1], "s", "starting", "i", incarnation, "o", worker, "b", "1", "n", 1, "z", #envelope, "y", id,
  "a", now, "u", now)
call("HDEL", KEYS[1], "w", "x", "k", "q", "j", "c", "g")
if options ~= "" then
  call("HSET", KEYS[1], "g", options)
end
count("starting", 1)
count("queued", 1)
call("HSET", queue .. "meta", "opts.maxLenEvents", 0)
addMessage(queue, id, "start", envelope, 0, now)
giveTo(worker, pid)
return { "queued", "", "" }
