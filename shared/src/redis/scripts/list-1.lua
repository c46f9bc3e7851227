-- Reads a part of a partition's index, and of each process on it the fields of its record that are asked for.
--
-- Atomic because: it need not be. It is one command where a long list would be thousands, and it writes nothing.
--
-- KEYS[1] the index
-- ARGV base, least, most (as ZRANGEBYLEX takes them), count, then fields
-- Returns pid, values, pid, values, …
local found = {}
for _, pid in ipairs(redis.call("ZRANGEBYLEX", KEYS[1], ARGV[2], ARGV[3], "LIMIT", 0, ARGV[4])) do
  found[#found + 1] = pid
  found[#found + 1] = redis.call("HMGET", ARGV[1] .. "proc:" .. pid, unpack(ARGV, 5))
end
return found
