-- Accepts one message for a process that is there: adds it to the mailbox, marks the process as having mail, wakes the
-- worker. Everything is decided before anything is written, so a refusal changes nothing.
--
-- A process that is idle in the memory of a live worker has its message put into that worker's hand at once: fetched here
-- and sent along with the wake-up, so that no claim is needed. The worker takes it only where epoch and revision are those
-- it holds; otherwise, or where the publication is lost, it claims, and a claim finds what lies in `active`.
--
-- Atomic because: between "is there a process, does it have room" and "the message is in" a stop could detach the
-- mailbox, and the message would lie where nobody looks.
-- Caller dies or the answer is lost: the id is reserved by the same script that adds the job, so a repeat finds it
-- (`known`) and nothing is added twice. Owner dies: the next beat of any node moves its busy set elsewhere.
--
-- KEYS[1] the process record
-- ARGV base, pid, id, kind, envelope, hash, delayMs, mostMessages, mostBytes, needsWorker
-- Returns {verdict, detail}: queued | known <q|hash|queue or o|hash|outcome> | no_process | mailbox_full | no_workers
--@include partition
--@include queue
--@bullmq addStandardJob
--@bullmq addDelayedJob
--@bullmq moveToActive
--@include add
--@include fetch

local pid, id, kind, envelope, hash = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local delay = tonumber(ARGV[7])

-- A repeat of what was accepted is known, whatever has become of the process since.
local function refuse(verdict)
  local known = call("GET", outcomeKey(id))
  return known and { "known", known } or { verdict, "" }
end

local record = call("HMGET", KEYS[1], "s", "i", "o", "b", "n", "z", "w", "c", "x", "q", "e", "r")
if not record[1] or record[1] == "stopped" then
  return refuse("no_process")
end
local name = queueName(pid, record[2])
local queue = queueOf(name)
-- Where the outcome of a keyed message is no longer kept its job may still be there: waiting, or as a dead letter, which
-- the same message, sent anew, takes the place of.
local earlier = hash ~= "" and not call("GET", outcomeKey(id)) and call("HGET", queue .. id, "data")
if earlier and not call("ZSCORE", queue .. "failed", id) then
  local _, earlierHash = string.match(earlier, ENVELOPE)
  return { "known", "q|" .. (earlierHash or "") .. "|" .. name }
end
local messages, bytes = tonumber(record[5] or 0), tonumber(record[6] or 0)
if messages >= tonumber(ARGV[8]) or bytes + #envelope > tonumber(ARGV[9]) then
  return refuse("mailbox_full")
end
local owner = record[3]
local busy = record[4] == "1"
local delayed, suspects = tonumber(record[7] or 0), tonumber(record[9] or 0)
local isHeld = not busy and record[1] == "alive" and delay == 0 and delayed == 0 and suspects == 0 and not record[10]
  and wasClaimedBy(record[8], owner)
if not isLive(owner) then
  local heir = pickWorker(moduleOf(pid))
  if not heir and ARGV[10] == "1" then
    return refuse("no_workers")
  end
  if busy then
    if wasClaimedBy(record[8], owner) then
      call("HSET", KEYS[1], "k", "2")
    end
    if heir then
      call("SREM", base .. "ready:" .. moduleOf(pid), pid)
    end
    giveTo(heir, pid)
  end
  owner = heir
  isHeld = false
end

local known = reserve(id, hash, name, delay)
if known then
  return { "known", known }
end
local now = clock()
if earlier then
  call("ZREM", queue .. "failed", id)
  call("DEL", queue .. id)
  count("failed", -1)
end
if not busy and not isHeld then
  call("HSET", queue .. "meta", "opts.maxLenEvents", 0)
end
addMessage(queue, id, kind, envelope, delay, now)
call("HSET", KEYS[1], "n", messages + 1, "z", bytes + #envelope, "o", owner or "", "b", (busy or delay == 0) and "1" or "0")
if delay > 0 then
  count("queued", 1)
  call("HINCRBY", KEYS[1], "w", 1)
  count("delayed", 1)
  noteDue(owner, pid, now + delay)
  return { "queued", now + delay }
end
-- A mailbox that another tool has paused gives nothing.
if isHeld and #fetch(queue, queueKeys(queue), 1, 0, owner, now) == 1 then
  call("SADD", base .. "busy:" .. owner, pid)
  wake(owner, table.concat({ pid, record[11], record[12], id, kind, envelope }, "\n"))
  return { "queued", "" }
end
count("queued", 1)
if not busy then
  giveTo(owner, pid)
end
return { "queued", "" }
