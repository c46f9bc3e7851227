-- Accepts one message for a process that is there: adds it to the mailbox, marks the process as having mail, wakes the
-- worker. Everything is decided before anything is written, so a refusal changes nothing.
--
-- A process that is idle in the memory of a live worker has its message put into that worker's hand at once: fetched here
-- and sent along with the wake-up, so that no claim is needed. The worker takes it only where epoch and revision are those
-- it holds; otherwise, or where the publication is lost, it claims, and a claim finds what lies in `active`.
--
-- Where the mailbox is held back (`p`: paused, quarantined, or waiting for the next try of a failed message) the message
-- only joins it: whoever lets the mailbox go on marks the process as having mail.

-- A repeat of what was accepted is known, whatever has become of the process since.
local function refuse(id, verdict)
  local known = call("GET", outcomeKey(id))
  return known and { "known", known } or { verdict, "" }
end

-- `room` is {most messages, most bytes}, or false where the message is not to be refused; `start` is {id, envelope} where
-- the first message of a process starts it. Returns {verdict, detail}, as enqueue does.
local function accept(key, pid, id, kind, envelope, hash, delay, room, needsWorker, start)
  local record = call("HMGET", key, "s", "i", "o", "b", "n", "z", "w", "c", "x", "q", "e", "r", "p")
  local now = clock()
  if not record[1] or record[1] == "stopped" then
    local known = start and call("GET", outcomeKey(id))
    if not start or known then
      return refuse(id, "no_process")
    end
    if room and #envelope > room[2] then
      return refuse(id, "mailbox_full")
    end
    local worker = pickWorker(moduleOf(pid))
    if room and not worker then
      return { "no_workers", "" }
    end
    --@include begin
    begin(key, pid, start[1], start[2], "", "", record[1], worker, now)
    record = call("HMGET", key, "s", "i", "o", "b", "n", "z", "w", "c", "x", "q", "e", "r", "p")
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
  local messages, bytes, delayed = tonumber(record[5] or 0), tonumber(record[6] or 0), tonumber(record[7] or 0)
  if room then
    local inTheWay = delay > 0 and delayed / MORE_DELAYED or messages - delayed
    if inTheWay >= room[1] or bytes + #envelope > room[2] then
      return refuse(id, "mailbox_full")
    end
  end
  local owner = record[3]
  local busy = record[4] == "1"
  local heldBack = record[13]
  local isHeld = not busy and record[1] == "alive" and delay == 0 and tonumber(record[9] or 0) == 0
    and not record[10] and not heldBack and wasClaimedBy(record[8], owner)
  if not isLive(owner) then
    local heir = pickWorker(moduleOf(pid))
    if not heir and needsWorker then
      return refuse(id, "no_workers")
    end
    if busy then
      if wasClaimedBy(record[8], owner) then
        call("HSET", key, "k", "2")
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
  if earlier then
    call("ZREM", queue .. "failed", id)
    call("DEL", queue .. id)
    count("failed", -1)
  end
  if not busy and not isHeld then
    call("HSET", queue .. "meta", "opts.maxLenEvents", 0)
  end
  addMessage(queue, id, kind, envelope, delay, now)
  local hasMail = busy or (delay == 0 and not heldBack)
  call("HSET", key, "n", messages + 1, "z", bytes + #envelope, "o", owner or "", "b", hasMail and "1" or "0")
  if delay > 0 then
    count("queued", 1)
    call("HINCRBY", key, "w", 1)
    count("delayed", 1)
    noteDue(owner, pid, now + delay, now)
    return { "queued", now + delay }
  end
  if isHeld and putInHand(key, pid, queue, owner, delayed, record[11], record[12], now) then
    return { "queued", "" }
  end
  count("queued", 1)
  if hasMail and not busy then
    giveTo(owner, pid)
  end
  return { "queued", "" }
end
