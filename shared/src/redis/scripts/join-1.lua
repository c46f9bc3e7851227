-- Adds a worker's session to the partition's live set and hands it the processes that waited for a worker of its modules.
--
-- A session whose worker has learnt another module joins again, with all of them.
--
-- Atomic because: a process must be in `ready` or with a live session, at every moment. Idempotent: a repeat adds nothing.
--
-- KEYS[1] the live set of the partition (hash: session → its modules, comma-separated)
-- ARGV base, session, modules (comma-separated), limit
-- Returns how many waiting processes it was handed; call again while that equals the limit.
--@include partition

local session, modules, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
local before = "," .. (call("HGET", KEYS[1], session) or "") .. ","
call("HSET", KEYS[1], session, modules)
local given = 0
for module in string.gmatch(modules, "[^,]+") do
  if not string.find(before, "," .. module .. ",", 1, true) then
    -- At one end or the other, so that what a dead worker had does not all go to the same one in every partition.
    local isEven = (string.byte(session, -1) + tonumber(string.match(base, "{(%d+)}"))) % 2 == 0
    call(isEven and "RPUSH" or "LPUSH", base .. "workers:" .. module, session)
  end
  if given < limit then
    for _, pid in ipairs(call("SPOP", base .. "ready:" .. module, limit - given)) do
      call("HSET", base .. "proc:" .. pid, "o", session)
      giveTo(session, pid)
      given = given + 1
    end
  end
end
return given
