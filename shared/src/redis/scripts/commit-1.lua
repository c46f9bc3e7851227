-- Makes the turns of a batch true, all of them or none: the new state and revision, the outcome of each message, its
-- reply, its removal from the mailbox; and hands out the next messages.
--
-- Atomic because: a state without its outcome would be applied twice, an outcome without its state would be a lie.
-- Session, epoch and revision are compared here, in the script that writes; the handled messages must be exactly the
-- oldest of `active`. Whoever lost the lease, was paused, or sends the same commit twice finds one of them different
-- and changes nothing. The answer is lost: the worker claims again and reads what is true.
--
-- KEYS[1] the process record
-- ARGV base, pid, session, epoch, revision, width, state or "", hasState, version, continue, hasContinue, life, bytes, turns,
--      then eight for each message: id, verdict, outcome, reply session, hash, keepMs, reason, stack
--   life: "" | alive | stopped | wiped        verdict: done | dead (a dead letter)
-- Returns {ok, revision, hasMail, {messages}, swept} or {refused, what differed}
--@include partition
--@include queue
--@bullmq moveToActive
--@bullmq moveToFinished
--@include fetch
--@include sweep

local HEAD, STRIDE = 14, 8
local pid, session, epoch, revision = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local width, life = tonumber(ARGV[6]), ARGV[12]
local mine = base .. "busy:" .. session

local record = call("HMGET", KEYS[1], "o", "e", "r", "i", "n", "z", "x", "w", "t", "s", "q")
if record[1] ~= session then
  return { "refused", "session" }
end
if record[2] ~= epoch then
  return { "refused", "epoch" }
end
if record[3] ~= revision then
  return { "refused", "revision" }
end
local name = queueName(pid, record[4])
local queue = queueOf(name)
local handled = (#ARGV - HEAD) / STRIDE
if handled > 0 then
  local oldest = call("LRANGE", queue .. "active", -handled, -1)
  for index = 1, handled do
    if oldest[handled + 1 - index] ~= ARGV[HEAD + (index - 1) * STRIDE + 1] then
      return { "refused", "messages" }
    end
  end
end

-- From here on nothing may fail: what a script has written is not rolled back.
local turns, messagesLeft, bytesLeft = tonumber(record[9] or 0), tonumber(record[5] or 0), tonumber(record[6] or 0)
local suspects, delayed = tonumber(record[7] or 0), tonumber(record[8] or 0)
local now = clock()
local keys = queueKeys(queue)
local marker = keys[11]
keys[13], keys[14] = "", marker
local doneOptions = cmsgpack.pack({ token = "0", keepJobs = { count = 0 }, attempts = 1, maxMetricsSize = "" })
for index = 1, handled do
  local at = HEAD + (index - 1) * STRIDE
  local id = ARGV[at + 1]
  keys[12] = queue .. id
  if ARGV[at + 2] == "dead" then
    keys[11] = queue .. "failed"
    local options = cmsgpack.pack({
      token = "0", attempts = 1, maxMetricsSize = "",
      keepJobs = { count = DEAD_LETTERS, age = DEAD_LETTER_MS / 1000 },
    })
    local before = call("ZCARD", keys[11])
    moveToFinished(keys, {
      id, tostring(now), "failedReason", ARGV[at + 7], "failed", "0", queue, options,
      cmsgpack.pack({ "stacktrace", ARGV[at + 8] }),
    })
    count("failed", call("ZCARD", keys[11]) - before)
  else
    keys[11] = queue .. "completed"
    moveToFinished(keys, { id, tostring(now), "returnvalue", "", "completed", "0", queue, doneOptions, "" })
  end
  settle(id, ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 3])
end
local nextRevision = tonumber(revision) + 1
local fields = { "r", nextRevision, "t", turns + tonumber(ARGV[14]), "u", now, "v", ARGV[9],
  "n", math.max(0, messagesLeft - handled), "z", math.max(0, bytesLeft - tonumber(ARGV[13])) }
if ARGV[8] == "1" then
  fields[#fields + 1] = "d"
  fields[#fields + 1] = ARGV[7]
end
if ARGV[11] == "1" then
  fields[#fields + 1] = "q"
  fields[#fields + 1] = ARGV[10]
end

local swept = true
if life == "wiped" or life == "stopped" then
  call("SREM", mine, pid)
  call("SREM", base .. "held:" .. session, pid)
  call("ZREM", base .. "due", pid)
  count(record[10], -1)
  if life == "wiped" then
    call("DEL", KEYS[1])
    call("ZREM", base .. "index", pid)
  else
    call("HSET", KEYS[1], unpack(fields))
    call("HSET", KEYS[1], "s", "stopped", "o", "", "b", "0", "n", 0, "z", 0)
    call("HDEL", KEYS[1], "w", "x", "k", "q", "j", "c", "y")
    count("stopped", 1)
  end
  swept = sweepQueue(name, 200)
  sendReplies()
  return { "ok", nextRevision, 0, {}, swept and 1 or 0 }
end

if life == "alive" and record[10] == "starting" then
  fields[#fields + 1] = "s"
  fields[#fields + 1] = "alive"
  call("HDEL", KEYS[1], "y")
  count("starting", -1)
  count("alive", 1)
end
if record[11] and ARGV[11] ~= "1" then
  call("HDEL", KEYS[1], "q", "j")
end

local messages = {}
local hasMail = 1
if width > 0 then
  if suspects > 0 then
    width = 1
  end
  local promoted, nextDue
  keys[11] = marker
  messages, promoted, nextDue = fetch(queue, keys, width, delayed, session, now)
  if #messages > 0 then
    count("queued", -#messages)
  end
  if suspects > 0 and #messages > 0 then
    fields[#fields + 1] = "x"
    fields[#fields + 1] = suspects - #messages
  end
  if promoted > 0 then
    fields[#fields + 1] = "w"
    fields[#fields + 1] = delayed - promoted
    count("delayed", -promoted)
  end
  if nextDue then
    noteDue(session, pid, nextDue)
  end
  if #messages == 0 and isEmpty(queue) then
    hasMail = 0
    fields[#fields + 1] = "b"
    fields[#fields + 1] = "0"
    call("SREM", mine, pid)
  end
end
call("HSET", KEYS[1], unpack(fields))
sendReplies()
return { "ok", nextRevision, hasMail, messages, 1 }
