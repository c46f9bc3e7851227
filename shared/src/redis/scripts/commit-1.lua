-- Makes the turns of a batch true, all of them or none: the new state and revision, the outcome of each message, its
-- reply, its removal from the mailbox, the events that they emitted, everything the turns want sent, timed or tied; and
-- hands out the next messages.
--
-- Atomic because: a state without its outcome would be applied twice, an outcome without its state would be a lie, and a
-- message sent by a turn that never was would be both.
-- Session, epoch and revision are compared here, in the script that writes; the handled messages must be exactly the
-- oldest of `active`. Whoever lost the lease, was paused, or sends the same commit twice finds one of them different
-- and changes nothing. The answer is lost: the worker claims again and reads what is true; what the outbox gained is found
-- there by whoever empties it next.
--
-- Of a module with a journal the events are the state: each gets the sequence after the last, in the record and as the id of
-- its entry. Should the journal have that already, which only another hand can have brought about, it refuses the first of
-- them, before anything else is written.
--
-- A process that is to be held back – paused meanwhile, quarantined by this commit, or with a failed message that is tried
-- again later – has what was fetched and not handled put back. The first two also end the lease.
--
-- KEYS[1] the process record
-- ARGV base, pid, session, epoch, revision, width (-1: a turn is under way), state or "", hasState (1; 2: the worker has one
--      that is not stored yet, and so keeps the lease where the process is held back), version, continue,
--      hasContinue, life, bytes, turns, handled, reason, emitted,
--      then eight for each message: id, verdict, outcome, reply session, hash, keepMs, reason, stack;
--      then three for each event: type, data, the message that emitted it;
--      then the acts, each its name and its words; ACTS says how many
--   life: "" | alive | stopped | wiped        verdict: done | dead (a dead letter) | deferred (replied to later)
-- Returns {ok, revision, hasMail, {messages}, swept, sent, heldBack} or {refused, what differed}
--@include partition
--@include queue
--@bullmq moveToFinished
--@include fetch

local HEAD, STRIDE = 17, 8
local pid, session, epoch, revision = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local width, life = tonumber(ARGV[6]), ARGV[12]
local mine = base .. "busy:" .. session

local record = call("HMGET", KEYS[1], "o", "e", "r", "i", "n", "z", "x", "w", "t", "s", "q", "p", "l", "m", "E")
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
local handled = tonumber(ARGV[15])
if handled > 0 then
  local oldest = call("LRANGE", queue .. "active", -handled, -1)
  for index = 1, handled do
    if oldest[handled + 1 - index] ~= ARGV[HEAD + (index - 1) * STRIDE + 1] then
      return { "refused", "messages" }
    end
  end
end

local now = clock()
local firstAct = HEAD + handled * STRIDE + 1
local emitted, sequence, largest = tonumber(ARGV[17]), false, false
if emitted > 0 then
  --@include journal
  sequence, largest = emitEvents(KEYS[1], pid, emitted, firstAct, ARGV[9], now)
  if not sequence then
    return { "refused", "journal" }
  end
  firstAct = firstAct + emitted * 3
end

-- From here on nothing may fail: what a script has written is not rolled back.
local told = record[14] and {}
local turns, messagesLeft, bytesLeft = tonumber(record[9] or 0), tonumber(record[5] or 0), tonumber(record[6] or 0)
local suspects, delayed = tonumber(record[7] or 0), tonumber(record[8] or 0)
local keys = queueKeys(queue)
local marker = keys[11]
keys[13], keys[14] = "", marker
local doneOptions = cmsgpack.pack({ token = "0", keepJobs = { count = 0 }, attempts = 1, maxMetricsSize = "" })
for index = 1, handled do
  local at = HEAD + (index - 1) * STRIDE
  local id, verdict = ARGV[at + 1], ARGV[at + 2]
  keys[12] = queue .. id
  if told then
    told[index] = { messageId = id, kind = call("HGET", keys[12], "name") or "", verdict = verdict }
    told[index].status = string.match(ARGV[at + 3], '^{"status":"([a-z]+)"')
  end
  if verdict == "dead" then
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
  if verdict == "deferred" then
    local defer = base .. "defer:" .. name
    local early = call("HGET", defer, id)
    call("HSET", defer, id, ARGV[at + 4] .. "|" .. ARGV[at + 5] .. "|" .. ARGV[at + 6])
    if early then
      answerDeferred(name, id, string.sub(early, 2))
    end
  else
    if record[15] then
      call("HDEL", base .. "defer:" .. name, id)
    end
    settle(id, ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 3])
  end
end
messagesLeft, bytesLeft = messagesLeft - handled, bytesLeft - tonumber(ARGV[13])
local nextRevision = tonumber(revision) + 1
local fields = { "r", nextRevision, "t", turns + tonumber(ARGV[14]), "u", now, "v", ARGV[9] }
local function set(field, value)
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
if ARGV[8] == "1" then
  set("d", ARGV[7])
end
if sequence then
  set("J", sequence)
  if largest then
    set("B", largest)
  end
end
if ARGV[11] == "1" then
  set("q", ARGV[10])
end

if told then
  --@include history
  local isShown = ARGV[8] == "1" and #ARGV[7] <= MOST_STATE and not string.match(ARGV[7], "^[@#]")
  tellFollowers(KEYS[1], pid, record[14], now, {
    "i", record[4], "r", nextRevision, "t", turns + tonumber(ARGV[14]), "m", handled > 0 and cjson.encode(told) or "[]",
    "d", isShown and ARGV[7] or "", "z", ARGV[8] == "1" and #ARGV[7] or 0, "j", sequence or "",
  })
end

local ends = life == "wiped" or life == "stopped"
local heldBack = isHeldBack(record[12], now) and record[12]
local sent, armed = 0, 0

-- Most turns want nothing done.
local function doActs(at)
  --@bullmq removeJob
  --@include add
  --@include outbox
  --@include hold
  --@include links
  -- A turn may set as many ties as it likes, and Lua passes a bounded number of words on: each field goes in once.
  local late = {}
  local function set(field, value)
    late[field] = value
  end
  local ACTS = {
    -- kind, target, id, delayMs, options, envelope
    send = { 6, function(at)
      sent = sent + 1
      local number = tonumber(record[13] or 0) + sent
      appendTo(name, number, now, ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5])
    end },
    -- id, due at (ms), envelope
    arm = { 3, function(at)
      if ends then
        return
      end
      local delay = math.max(0, tonumber(ARGV[at + 1]) - now)
      addMessage(queue, ARGV[at], "info", ARGV[at + 2], delay, now)
      messagesLeft, bytesLeft = messagesLeft + 1, bytesLeft + #ARGV[at + 2]
      count("queued", 1)
      if delay > 0 then
        armed = armed + 1
        count("delayed", 1)
      end
    end },
    -- id; one that is due already is dropped at its turn
    disarm = { 1, function(at)
      local job = queue .. ARGV[at]
      if not call("ZSCORE", queue .. "delayed", ARGV[at]) then
        return
      end
      local size = call("HSTRLEN", job, "data")
      removeJob({ job, queue .. "repeat" }, { ARGV[at], "0", queue })
      messagesLeft, bytesLeft = messagesLeft - 1, bytesLeft - size
      armed = armed - 1
      count("queued", -1)
      count("delayed", -1)
    end },
    -- field and text of a tie
    tie = { 2, function(at)
      call("HSET", base .. "own:" .. name, ARGV[at], ARGV[at + 1])
      set("h", "1")
    end },
    untie = { 1, function(at)
      call("HDEL", base .. "own:" .. name, ARGV[at])
    end },
    -- partition, pid and reference: who is to be told of this process's end
    watch = { 3, function(at)
      watchLink(pid, ARGV[at], ARGV[at + 1], ARGV[at + 2])
    end },
    -- pid and references
    unwatch = { 2, function(at)
      unwatchLink(pid, ARGV[at], ARGV[at + 1])
    end },
    -- id and outcome of a call that was deferred
    answer = { 2, function(at)
      answerDeferred(name, ARGV[at], ARGV[at + 1])
    end },
    options = { 1, function(at)
      set("g", ARGV[at])
    end },
    -- id of the message that failed, ms until its next try
    retry = { 2, function(at)
      call("HINCRBY", queue .. ARGV[at], "tries", 1)
      heldBack = heldBack or "retry " .. string.format("%.0f", now + tonumber(ARGV[at + 1]))
      set("p", heldBack)
    end },
    -- how many events, and ms, of the journal are kept at least
    compact = { 2, function(at)
      --@include journal
      compactJournal(pid, ARGV[7], tonumber(ARGV[at]), tonumber(ARGV[at + 1]), now)
    end },
    -- why
    quarantine = { 1, function(at)
      if ends then
        return
      end
      if isHeldByPerson(heldBack) then
        count(heldBack, -1)
      end
      heldBack = "quarantined"
      set("p", heldBack)
      set("f", ARGV[at])
      count("quarantined", 1)
    end },
  }
  while ARGV[at] do
    local act = ACTS[ARGV[at]]
    act[2](at + 1)
    at = at + 1 + act[1]
  end
  if sent > 0 then
    set("l", tonumber(record[13] or 0) + sent)
    noteOutbox(name, now)
  end
  if armed ~= 0 then
    set("w", math.max(0, delayed + armed))
  end
  for field, value in pairs(late) do
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
end
if ARGV[firstAct] then
  doActs(firstAct)
end
delayed = delayed + armed
set("n", math.max(0, messagesLeft))
set("z", math.max(0, bytesLeft))

local function endIncarnation()
  --@include outbox
  --@include death
  --@include sweep
  --@include hold
  call("SREM", mine, pid)
  call("SREM", base .. "held:" .. session, pid)
  call("ZREM", base .. "due", pid)
  count(record[10], -1)
  if isHeldByPerson(record[12]) then
    count(record[12], -1)
  end
  call("HSET", KEYS[1], unpack(fields))
  sent = sent + announceDeath(KEYS[1], pid, name, ARGV[16], now)
  if life == "wiped" then
    forgetProcess(KEYS[1], pid)
  else
    call("HSET", KEYS[1], "s", "stopped", "o", "", "b", "0", "n", 0, "z", 0)
    call("HDEL", KEYS[1], "w", "x", "k", "q", "j", "c", "y", "p", "f", "h", "E")
    count("stopped", 1)
  end
  local swept = sweepQueue(name, 200)
  sendReplies()
  return { "ok", nextRevision, 0, {}, swept and 1 or 0, sent, 0 }
end
if ends then
  return endIncarnation()
end

if life == "alive" and record[10] == "starting" then
  set("s", "alive")
  call("HDEL", KEYS[1], "y")
  count("starting", -1)
  count("alive", 1)
end
if record[11] and ARGV[11] ~= "1" then
  call("HDEL", KEYS[1], "q", "j")
end

local messages = {}
local hasMail = 1
if heldBack and width >= 0 then
  local inHand = call("LRANGE", queue .. "active", 0, -1)
  putBack(queue, inHand)
  count("queued", #inHand)
  hasMail = 0
  set("b", "0")
  call("SREM", mine, pid)
  local _, untilMs = isHeldBack(heldBack, now)
  if untilMs then
    noteDue(session, pid, untilMs, now)
  else
    if ARGV[8] ~= "2" then
      set("o", "")
      call("SREM", base .. "held:" .. session, pid)
      call("HDEL", KEYS[1], "c", "x", "k")
    end
  end
elseif width > 0 then
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
    set("x", suspects - #messages)
  end
  if promoted > 0 then
    set("w", delayed - promoted)
    count("delayed", -promoted)
  end
  if nextDue and #messages == 0 then
    noteDue(session, pid, nextDue, now)
  end
  if #messages == 0 and isEmpty(queue) then
    hasMail = 0
    set("b", "0")
    call("SREM", mine, pid)
  end
end
call("HSET", KEYS[1], unpack(fields))
sendReplies()
return { "ok", nextRevision, hasMail, messages, 1, sent, heldBack and width >= 0 and heldBack or "" }
