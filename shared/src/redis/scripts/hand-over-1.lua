-- Gives a process up between two turns, so that another worker can have it.
--
-- Atomic because: the lease must end and the mail move in one step. Fenced like a commit. Messages that were fetched and
-- not handled stay in `active`; the heir's claim puts them back. The answer is lost: a repeat is refused, and nothing is
-- lost: the heir has been woken.
--
-- KEYS[1] the process record
-- ARGV base, pid, session, epoch, revision
-- Returns 1; 0 where the lease was not held any more; -1 where nobody else runs the module.
--@include partition

local pid, session = ARGV[2], ARGV[3]
local record = call("HMGET", KEYS[1], "o", "e", "r", "b")
if record[1] ~= session or record[2] ~= ARGV[4] or record[3] ~= ARGV[5] then
  return 0
end
local module = moduleOf(pid)
local heir = pickWorker(module)
if heir == session then
  heir = pickWorker(module)
end
if heir == session then
  return -1
end
call("SREM", base .. "busy:" .. session, pid)
call("SREM", base .. "held:" .. session, pid)
call("HSET", KEYS[1], "o", heir or "")
call("HDEL", KEYS[1], "c")
if record[4] == "1" then
  giveTo(heir, pid)
elseif heir then
  wake(heir, pid)
end
return 1
