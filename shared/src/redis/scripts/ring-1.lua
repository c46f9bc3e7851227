-- Wakes the processes whose next delayed message, or next try of a failed one, is due.
--
-- Atomic because: the due entry must not go before the process is marked as having mail. Idempotent: many nodes may ring.
--
-- KEYS[1] the partition's due index (sorted set: pid by due time in ms)
-- ARGV base, limit
-- Returns in how many ms the next one is due, 0 for now: call again at once; -1 for never.
--@include partition

local now = clock()
for _, pid in ipairs(call("ZRANGEBYSCORE", KEYS[1], 0, now, "LIMIT", 0, tonumber(ARGV[2]))) do
  call("ZREM", KEYS[1], pid)
  local key = base .. "proc:" .. pid
  local record = call("HMGET", key, "s", "o", "b", "w", "p")
  local delayed = tonumber(record[4] or 0)
  local heldBack, untilMs = isHeldBack(record[5], now)
  local mayRun = record[1] and record[1] ~= "stopped" and record[3] ~= "1"
  if mayRun and untilMs and heldBack then
    noteDue(false, pid, untilMs, now)
  elseif mayRun and not heldBack and (delayed > 0 or record[5]) then
    local owner = isLive(record[2]) and record[2] or pickWorker(moduleOf(pid))
    call("HSET", key, "b", "1", "o", owner or "")
    giveTo(owner, pid)
  end
end
local first = call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
return first[2] and math.max(0, tonumber(first[2]) - now) or -1
