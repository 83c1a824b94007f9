-- Makes the store unless it exists, and tells what it is.
-- KEYS: meta, log, wake, ids, chosen, ages
-- ARGV: format of a new store, its name, its id key, its head
-- Returns its format, name and id key; or a status.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then
  if redis.call('EXISTS', unpack(KEYS, 2)) > 0 then return {-4} end
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'store', ARGV[2], 'key', ARGV[3],
    'before', ARGV[4], 'head', ARGV[4], 'sum', 0, 'last', '')
elseif kind ~= 'hash' then
  return {-4}
end
local meta = redis.call('HMGET', KEYS[1], 'format', 'store', 'key', 'before', 'head')
for i = 1, 5 do
  if not meta[i] then return {-4} end
end
if tonumber(meta[4]) < tonumber(meta[5]) then
  local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  if not newest or newest[1] ~= meta[5] .. '-0' then return {-5} end
end
return {0, meta[1], meta[2], meta[3]}
