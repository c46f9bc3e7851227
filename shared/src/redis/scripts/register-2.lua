-- Makes a session known to the cluster.
--
-- Atomic because: a session without its TTL would never lapse.
--
-- KEYS[1] the session, KEYS[2] the set of sessions
-- ARGV base, session, ttlMs, then field, value, …
redis.call("HSET", KEYS[1], unpack(ARGV, 4))
redis.call("PEXPIRE", KEYS[1], ARGV[3])
redis.call("SADD", KEYS[2], ARGV[2])
return 1
