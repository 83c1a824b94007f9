-- KEYS: entries, index, leases, revision
-- ARGV: holder
local changed = redis.call('ZREM', KEYS[3], ARGV[1]) == 1
for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[1] .. ' ', '(' .. ARGV[1] .. '!')) do
  redis.call('HDEL', KEYS[1], member)
  redis.call('ZREM', KEYS[2], member)
  changed = true
end
if changed then redis.call('INCR', KEYS[4]) end
return {0}
