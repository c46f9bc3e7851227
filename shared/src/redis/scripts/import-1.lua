-- Makes an incarnation of a process with a state or a journal, timers and a mailbox that were exported: no init runs, and no
-- worker is needed. Where there is a process already – living, or stopped with its state kept – it is refused, or ended first.
--
-- Atomic because: a state without its mail, or half of its events, would be another process. Everything is decided before
-- anything is written. The ids of the messages are new ones, for the old ones may be known here, with what became of them. With
-- 10,000 messages, the most that are exported, it holds Redis up for half a second.
-- The answer is lost: the repeat carries the same id and finds what was done; it makes no second incarnation.
--
-- KEYS[1] the process record
-- ARGV base, pid, id, hash, keepMs, replace, state, version, revision, turns, options, held, why, continue, hasContinue,
--      timers, events, last sequence, earliest snapshot or "";
--      then a field and a text for each timer; then five for each event: type, data, version, at, message;
--      then four for each message: id, kind, envelope, due at (ms) or ""
-- Returns {verdict, …}: imported <name of the life that it ended, or ""> sent swept reference | known <text> | exists <status>
--@include partition
--@include queue
--@include add
--@include outbox
--@include death
--@include sweep
--@include hold
--@include end

local HEAD = 19
local pid, id = ARGV[2], ARGV[3]
local known = call("GET", outcomeKey(id))
if known then
  return { "known", known }
end
local before = call("HGET", KEYS[1], "s")
if before and ARGV[6] ~= "1" then
  return { "exists", before }
end

local now = clock()
local ended, sent, isSwept, reference = "", 0, true, ""
if before and before ~= "stopped" then
  ended, sent, isSwept, reference = endLife(KEYS[1], pid, "replaced", false, now)
elseif before then
  reference = referenceOf(KEYS[1])
  count("stopped", -1)
  forgetProcess(KEYS[1], pid)
end

local incarnation = call("INCR", base .. "seq")
local name = queueName(pid, incarnation)
local queue = queueOf(name)
local timers = tonumber(ARGV[16])
for at = HEAD + 1, HEAD + timers * 2, 2 do
  call("HSET", base .. "own:" .. name, ARGV[at], ARGV[at + 1])
end

local events, last = tonumber(ARGV[17]), tonumber(ARGV[18])
local firstEvent, firstMessage = HEAD + timers * 2 + 1, HEAD + timers * 2 + events * 5 + 1
call("UNLINK", base .. "journal:" .. pid, base .. "snapshots:" .. pid)
for index = 1, events do
  local at = firstEvent + (index - 1) * 5
  call("XADD", base .. "journal:" .. pid, string.format("%.0f-0", last - events + index),
    "t", ARGV[at], "d", ARGV[at + 1], "v", ARGV[at + 2], "a", ARGV[at + 3], "m", ARGV[at + 4])
end
if ARGV[19] ~= "" then
  call("HSET", base .. "snapshots:" .. pid, "base", ARGV[19])
end

local messages, bytes, delayed, firstDue = 0, 0, 0, false
call("HSET", queue .. "meta", "opts.maxLenEvents", 0)
for at = firstMessage, #ARGV, 4 do
  local dueAt = tonumber(ARGV[at + 3])
  -- What fell due meanwhile keeps its place among the delayed ones.
  local delay = dueAt and math.max(1, dueAt - now) or 0
  reserve(ARGV[at], "", name, delay)
  addMessage(queue, ARGV[at], ARGV[at + 1], ARGV[at + 2], delay, now)
  messages, bytes = messages + 1, bytes + #ARGV[at + 2]
  if dueAt then
    delayed = delayed + 1
    firstDue = math.min(firstDue or math.huge, now + delay)
  end
end

call("ZADD", base .. "index", 0, pid)
call("HSET", KEYS[1], "s", "alive", "i", incarnation, "o", "", "b", "0", "d", ARGV[7], "v", ARGV[8], "r", ARGV[9],
  "t", ARGV[10], "n", messages, "z", bytes, "w", delayed, "a", now, "u", now)
if timers > 0 then
  call("HSET", KEYS[1], "h", "1")
end
if last > 0 then
  call("HSET", KEYS[1], "J", last)
end
if ARGV[11] ~= "" then
  call("HSET", KEYS[1], "g", ARGV[11])
end
if ARGV[15] == "1" then
  call("HSET", KEYS[1], "q", ARGV[14])
end
count("alive", 1)
if messages > 0 then
  count("queued", messages)
  count("delayed", delayed)
else
  clearBooks(queue)
end

if ARGV[12] ~= "" then
  hold(KEYS[1], pid, ARGV[12], ARGV[13])
elseif messages > delayed or ARGV[15] == "1" then
  local worker = pickWorker(moduleOf(pid))
  call("HSET", KEYS[1], "b", "1", "o", worker or "")
  giveTo(worker, pid)
end
if firstDue then
  noteDue(pickWorker(moduleOf(pid)), pid, firstDue, now)
end
settle(id, "", ARGV[4], ARGV[5], '{"status":"done","reply":null}')
sendReplies()
return { "imported", ended, sent, isSwept and 1 or 0, reference }
