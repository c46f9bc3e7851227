-- Wakes the processes whose next delayed message, or next try of a failed one, is due.
--
-- Atomic because: the due entry must not go before the process is marked as having mail. Idempotent: many nodes may ring.
-- A process that is idle in the memory of a live worker has the message put into that worker's hand, as by enqueue.
--
-- KEYS[1] the partition's due index (sorted set: pid by due time in ms)
-- ARGV base, limit
-- Returns in how many ms the next one is due, 0 for now: call again at once; -1 for never.
--@include partition
--@include queue
--@include fetch

local now = clock()
for _, pid in ipairs(call("ZRANGEBYSCORE", KEYS[1], 0, now, "LIMIT", 0, tonumber(ARGV[2]))) do
  call("ZREM", KEYS[1], pid)
  local key = base .. "proc:" .. pid
  local record = call("HMGET", key, "s", "o", "b", "w", "p", "i", "c", "x", "q", "e", "r")
  local delayed = tonumber(record[4] or 0)
  local heldBack, untilMs = isHeldBack(record[5], now)
  local mayRun = record[1] and record[1] ~= "stopped" and record[3] ~= "1"
  if mayRun and untilMs and heldBack then
    noteDue(false, pid, untilMs, now)
  elseif mayRun and not heldBack and (delayed > 0 or record[5]) then
    local isOwned = isLive(record[2])
    local owner = isOwned and record[2] or pickWorker(moduleOf(pid))
    local isHeld = isOwned and record[1] == "alive" and delayed > 0 and not record[5] and tonumber(record[8] or 0) == 0
      and not record[9] and wasClaimedBy(record[7], owner)
    call("HSET", key, "b", "1", "o", owner or "")
    local queue = queueOf(queueName(pid, record[6]))
    if isHeld and putInHand(key, pid, queue, owner, delayed, record[10], record[11], now) then
      count("queued", -1)
    else
      giveTo(owner, pid)
    end
  end
end
local first = call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
return first[2] and math.max(0, tonumber(first[2]) - now) or -1
