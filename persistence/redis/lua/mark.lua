-- Leaves a mark behind everything stored so far: a replica that has it has that too.
-- KEYS: meta, mark
-- ARGV: store, value of the mark
-- Returns the head and the last id as they are; or a status.
local meta = redis.call('HMGET', KEYS[1], 'store', 'head', 'last')
if not meta[1] then return {-1} end
if meta[1] ~= ARGV[1] then return {-2} end
redis.call('SET', KEYS[2], ARGV[2], 'PX', 86400000)
return {tonumber(meta[2]), meta[3]}
