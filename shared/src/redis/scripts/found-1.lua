-- Founds the cluster on an empty Redis, or tells what an earlier node founded it with.
--
-- Atomic because: two first nodes must agree.
--
-- KEYS[1] the cluster's settings
-- ARGV base, layout version, partitions
-- Returns {layout version, partitions}
redis.call("HSETNX", KEYS[1], "layout", ARGV[2])
redis.call("HSETNX", KEYS[1], "partitions", ARGV[3])
return redis.call("HMGET", KEYS[1], "layout", "partitions")
