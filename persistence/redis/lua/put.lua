-- KEYS: entries, index, leases, revision
-- ARGV: holder, then of each entry: key, value
local changed = false
for i = 2, #ARGV, 2 do
  local member = ARGV[1] .. ' ' .. ARGV[i]
  if redis.call('HGET', KEYS[1], member) ~= ARGV[i + 1] then
    redis.call('HSET', KEYS[1], member, ARGV[i + 1])
    redis.call('ZADD', KEYS[2], 0, member)
    changed = true
  end
end
if changed then redis.call('INCR', KEYS[4]) end
return {0}
