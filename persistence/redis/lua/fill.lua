-- Makes events that take the positions up to the given one, unless they are taken; so many at a time.
-- KEYS: meta, log, wake, ages
-- ARGV: store, position, most events, time, size of an event, length of its frame, record
-- Returns the head; or a status.
local meta = redis.call('HMGET', KEYS[1], 'store', 'head', 'sum')
if not meta[1] then return {-1} end
if meta[1] ~= ARGV[1] then return {-2} end
local head, sum = tonumber(meta[2]), tonumber(meta[3])
local count = math.min(tonumber(ARGV[2]) - head, tonumber(ARGV[3]))
if count <= 0 then return {head} end
head = head + count
sum = sum + count * tonumber(ARGV[5])
local id, bytes = string.format('%.0f-0', head), string.format('%.0f', sum)
redis.call('XADD', KEYS[2], id, 'n', count, 's', bytes, 'f', count * tonumber(ARGV[6]), 'z', string.rep(ARGV[5] .. ' ', count), 'r', string.rep(ARGV[7], count))
redis.call('XADD', KEYS[3], 'MAXLEN', 1, id, 'h', '')
local newest = redis.call('LINDEX', KEYS[4], -1)
while newest and string.sub(newest, 1, 20) >= ARGV[4] do
  redis.call('RPOP', KEYS[4])
  newest = redis.call('LINDEX', KEYS[4], -1)
end
redis.call('RPUSH', KEYS[4], ARGV[4] .. string.format('%.0f', head))
redis.call('HSET', KEYS[1], 'head', string.format('%.0f', head), 'sum', bytes, 'last', '')
return {head}
