-- KEYS: entries, index, leases, revision
-- ARGV: holder, then the keys
local changed = false
for i = 2, #ARGV do
  local member = ARGV[1] .. ' ' .. ARGV[i]
  if redis.call('HDEL', KEYS[1], member) == 1 then
    redis.call('ZREM', KEYS[2], member)
    changed = true
  end
end
if changed then redis.call('INCR', KEYS[4]) end
return {0}
