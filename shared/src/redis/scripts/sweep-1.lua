-- Goes on answering what is left in the mailbox of an ended incarnation.
--
-- Atomic because: an outcome must be written with the removal of its message. Idempotent: many nodes may sweep.
--
-- KEYS[1] the partition's sweep set (names of mailboxes)
-- ARGV base, limit
-- Returns 1 while there is more to sweep in this partition, else 0.
--@include partition
--@include queue
--@include sweep

local name = call("SRANDMEMBER", KEYS[1])
if not name then
  return 0
end
sweepQueue(name, tonumber(ARGV[2]))
sendReplies()
return call("SCARD", KEYS[1]) > 0 and 1 or 0
