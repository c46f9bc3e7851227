-- Wakes the processes whose next delayed message is due.
--
-- Atomic because: the due entry must not go before the process is marked as having mail. Idempotent: many nodes may ring.
--
-- KEYS[1] the partition's due index (sorted set: pid by due time in ms)
-- ARGV base, limit
-- Returns when the next one is due in ms since the epoch, 0 for never, 1 for now: call again at once.
--@include partition

local now = clock()
for _, pid in ipairs(call("ZRANGEBYSCORE", KEYS[1], 0, now, "LIMIT", 0, tonumber(ARGV[2]))) do
  call("ZREM", KEYS[1], pid)
  local key = base .. "proc:" .. pid
  local record = call("HMGET", key, "s", "o", "b", "w")
  local delayed = tonumber(record[4] or 0)
  if record[1] and record[1] ~= "stopped" and record[3] ~= "1" and delayed > 0 then
    local owner = isLive(record[2]) and record[2] or pickWorker(moduleOf(pid))
    call("HSET", key, "b", "1", "o", owner or "")
    giveTo(owner, pid)
  end
end
local first = call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
local dueAt = tonumber(first[2] or 0)
return dueAt > 0 and dueAt <= now and 1 or dueAt
