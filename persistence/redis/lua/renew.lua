-- KEYS: entries, index, leases, revision
-- ARGV: holder, milliseconds
-- Returns 1 where the holder had a lease.
local now = redis.call('TIME')
local added = redis.call('ZADD', KEYS[3], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[1])
return {1 - added}
