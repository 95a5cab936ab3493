-- Take a tenant's counters away as a batch, or get the batch that was taken before and not finished.
--
-- KEYS  the counters; where the batch lies
-- ARGV  the batch's id, if there is to be a new one
-- Returns the batch, fields and counts, with its id as the field "id"; nothing where nothing was counted.

if redis.call("EXISTS", KEYS[2]) == 0 then
  if redis.call("EXISTS", KEYS[1]) == 0 then return {} end
  redis.call("RENAME", KEYS[1], KEYS[2])
  redis.call("HSET", KEYS[2], "id", ARGV[1])
end
return redis.call("HGETALL", KEYS[2])
