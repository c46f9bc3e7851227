-- Drops dead letters of a process for good, also those of its earlier lives, 200 or so at a time. Their outcomes stay.
--
-- Atomic because: a letter is counted while it is there. Idempotent: what is gone is gone.
--
-- KEYS[1] the process record, which need not be there
-- ARGV base, pid, id or "" for all, limit, until (ms; those that failed later stay)
-- Returns {how many were dropped, whether there may be more}
--@include partition
--@include queue
--@include letters

local pid, limit = ARGV[2], tonumber(ARGV[4])
local record = call("HMGET", KEYS[1], "s", "i")
local current = record[1] and record[1] ~= "stopped" and queueName(pid, record[2]) or ""
local letters = findLetters(pid, record[2], ARGV[3], limit, ARGV[5])
for _, letter in ipairs(letters) do
  takeLetter(pid, letter[1], letter[2], current)
end
return { #letters, ARGV[3] == "" and #letters == limit and 1 or 0 }
