-- Notes that the replicas have everything up to a position, and wakes the nodes.
-- KEYS: meta, wake, what the replicas confirmed: a writer's last append or a mark
-- ARGV: store, its value, position, id of the event there or '' where it follows from the position
-- Returns the position up to which all is confirmed; or a status.
local meta = redis.call('HMGET', KEYS[1], 'store', 'head', 'confirmed')
if not meta[1] then return {-1} end
if meta[1] ~= ARGV[1] then return {-2} end
-- A server that took over without it may have other events up to there.
local position, confirmed = tonumber(ARGV[3]), tonumber(meta[3] or 0)
if redis.call('GET', KEYS[3]) ~= ARGV[2] or position > tonumber(meta[2]) then return {-3} end
if position <= confirmed then return {confirmed} end
redis.call('HSET', KEYS[1], 'confirmed', string.format('%.0f', position), 'sure', ARGV[4])
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if not newest or tonumber(string.match(newest[1], '^%d+')) < position then
  redis.call('XADD', KEYS[2], 'MAXLEN', 1, string.format('%.0f-0', position), 'h', '')
end
return {position}
