-- Ends a session in one partition: its processes with mail go to other workers, what it held without mail goes to sleep,
-- then it leaves the live set.
--
-- Atomic because: a process must not lie in the busy set of a session that nobody asks any more. Its record's owner
-- changes here, so that a commit of the ended session, should it still breathe, is refused.
-- Idempotent, and safe to be run by many nodes at once: a session that ended never comes back.
--
-- KEYS[1] the live set of the partition
-- ARGV base, session, limit, blame: may a message in hand have ended it? "yes", "maybe" where many were, "no"
-- Returns how many processes are left; call again while that is not 0.
--@include partition
--@include queue

local session, limit = ARGV[2], tonumber(ARGV[3])
local mine = base .. "busy:" .. session
for module in string.gmatch(call("HGET", KEYS[1], session) or "", "[^,]+") do
  call("LREM", base .. "workers:" .. module, 0, session)
end
for _, pid in ipairs(call("SPOP", mine, limit)) do
  local key = base .. "proc:" .. pid
  local record = call("HMGET", key, "o", "c")
  if record[1] == session then
    local heir = pickWorker(moduleOf(pid))
    call("HSET", key, "o", heir or "")
    if ARGV[4] ~= "no" and wasClaimedBy(record[2], session) then
      call("HSET", key, "k", ARGV[4] == "yes" and "1" or "2")
    end
    giveTo(heir, pid)
  end
end
for _, pid in ipairs(call("SPOP", base .. "held:" .. session, limit)) do
  local key = base .. "proc:" .. pid
  local record = call("HMGET", key, "o", "b", "i", "p")
  if record[1] == session and record[2] ~= "1" then
    call("HSET", key, "o", "")
    call("HDEL", key, "c", "b", "k")
    -- What is held back may have mail.
    if not record[4] then
      clearBooks(queueOf(queueName(pid, record[3])))
      call("HDEL", key, "x")
    end
  end
end
local left = call("SCARD", mine) + call("SCARD", base .. "held:" .. session)
if left == 0 and call("HDEL", KEYS[1], session) == 1 then
  -- It was to ring what is due next: now another is.
  local first = call("ZRANGE", base .. "due", 0, 0, "WITHSCORES")
  if first[2] then
    noteDue(call("HRANDFIELD", KEYS[1]), first[1], tonumber(first[2]), clock())
  end
end
return left
