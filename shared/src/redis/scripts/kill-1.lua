-- Ends a process at once, without terminate, overtaking all mail. Its state is kept, unless the module never keeps any, or
-- there is none yet.
--
-- Atomic because: whoever sees the process ended must find its mailbox detached, and a commit must come wholly before or be
-- refused.
-- The answer is lost: the repeat carries the same id and finds what was done; it never ends a life that began since.
--
-- KEYS[1] the process record
-- ARGV base, pid, reason, keepsState, id, hash, keepMs
-- Returns {verdict, …}: killed <1 where the state is kept> name sent swept reference | known <text> | no_process
--@include partition
--@include queue
--@include outbox
--@include death
--@include sweep
--@include hold
--@include end

local pid, reason, id = ARGV[2], ARGV[3], ARGV[5]
local known = call("GET", outcomeKey(id))
if known then
  return { "known", known }
end
local status = call("HGET", KEYS[1], "s")
if not status or status == "stopped" then
  return { "no_process" }
end
local name, sent, isSwept, reference, isKept = endLife(KEYS[1], pid, reason, ARGV[4] == "1", clock())
settle(id, "", ARGV[6], ARGV[7], '{"status":"done","reply":' .. (isKept and "true" or "false") .. "}")
sendReplies()
return { "killed", isKept and 1 or 0, name, sent, isSwept and 1 or 0, reference }
