-- Reads a page of a journal: as many events as are asked for, or fewer where they are large.
--
-- Atomic because: how many there may be is known only from those before them. It writes nothing.
--
-- KEYS[1] the journal
-- ARGV base, from (sequence), limit
-- Returns {{id, {field, text, …}}, …}, none where there is no such event
--@include partition
--@include journal

return readPage(KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
