-- Takes out of an outbox what was delivered.
--
-- Atomic because: an outbox that is empty and still noted, or noted no more and not empty, would be looked at for ever or
-- never again. Idempotent: only what is numbered at or below the given number goes.
--
-- KEYS[1] the outbox
-- ARGV base, name, number
-- Returns how many entries are left.
--@include partition

local number = tonumber(ARGV[3])
local left = call("LLEN", KEYS[1])
for _, entry in ipairs(call("LRANGE", KEYS[1], 0, 199)) do
  if tonumber(string.match(entry, "^%d+")) > number then
    break
  end
  call("LPOP", KEYS[1])
  left = left - 1
end
if left == 0 then
  call("ZREM", base .. "outs", ARGV[2])
else
  call("ZADD", base .. "outs", clock(), ARGV[2])
end
return left
