-- Renews a session and tells how its node is. A session that has lapsed stays dead: nothing brings its key back.
--
-- Atomic because: writing the fields of a lapsed session would make it live again, without its TTL.
--
-- KEYS[1] the session
-- ARGV base, ttlMs, then field, value, …
-- Returns 1, or 0 where the session has lapsed.
if redis.call("PEXPIRE", KEYS[1], ARGV[2]) == 0 then
  return 0
end
redis.call("HSET", KEYS[1], unpack(ARGV, 3))
return 1
