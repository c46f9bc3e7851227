-- Founds the cluster on an empty Redis, or tells what an earlier node founded it with.
--
-- What layout 1 left can be read as it is, so a cluster of that layout becomes one of layout 3; a node of layout 1 that still
-- runs cannot join again. Layout 2, whose links had no references, was never released, and is refused.
--
-- Atomic because: two first nodes must agree.
--
-- KEYS[1] the cluster's settings
-- ARGV base, layout version, partitions
-- Returns {layout version, partitions}
redis.call("HSETNX", KEYS[1], "layout", ARGV[2])
if ARGV[2] == "3" and redis.call("HGET", KEYS[1], "layout") == "1" and redis.call("HGET", KEYS[1], "partitions") == ARGV[3] then
  redis.call("HSET", KEYS[1], "layout", 3)
end
redis.call("HSETNX", KEYS[1], "partitions", ARGV[3])
return redis.call("HMGET", KEYS[1], "layout", "partitions")
