-- KEYS: entries, index, leases, revision
-- ARGV: heir
-- Returns 0, then of each entry adopted: the holder and the key as one, value.
local now = redis.call('TIME')
local ended = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now[1] * 1000 + math.floor(now[2] / 1000))
local adopted = {0}
for _, holder in ipairs(ended) do
  if holder ~= ARGV[1] then
    for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], '[' .. holder .. ' ', '(' .. holder .. '!')) do
      local value, own = redis.call('HGET', KEYS[1], member), ARGV[1] .. string.sub(member, #holder + 1)
      redis.call('HDEL', KEYS[1], member)
      redis.call('ZREM', KEYS[2], member)
      redis.call('HSET', KEYS[1], own, value)
      redis.call('ZADD', KEYS[2], 0, own)
      adopted[#adopted + 1] = member
      adopted[#adopted + 1] = value
    end
    redis.call('ZREM', KEYS[3], holder)
  end
end
if #adopted > 1 then redis.call('INCR', KEYS[4]) end
return adopted
