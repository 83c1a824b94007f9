-- Stores a batch after the newest event, all or nothing, and applies the retention.
-- KEYS: meta, log, wake, ids, chosen, ages, writer
-- ARGV: store, sequence, head known to the writer, time, time before which events are too old or '',
--       most events or 0, most bytes or 0, id of the last event or '' where it follows from the position,
--       number of events, number of chunks, '1' where the nodes are woken only when replicas have confirmed it or '',
--       of each chunk: number of events, bytes of their frames, sizes of the events, records,
--       of each id that a publisher chose: number of the event in the batch from 1 on, digest
-- Returns the first position, then before, head and last as they are now; or a status.
local function text(n) return string.format('%.0f', n) end

local meta = redis.call('HMGET', KEYS[1], 'store', 'before', 'head', 'sum', 'last')
if not meta[1] then return {-1} end
if meta[1] ~= ARGV[1] then return {-2} end
local before, head, sum, last = tonumber(meta[2]), tonumber(meta[3]), tonumber(meta[4]), meta[5]

-- A batch whose answer was lost is sent again under its sequence number; one that was given up must not come after all.
local sequence, known = tonumber(ARGV[2]), redis.call('GET', KEYS[7])
if known then
  local done, first = string.match(known, '^(%d+) (%d+)$')
  if tonumber(done) > sequence then return {-3} end
  if tonumber(done) == sequence then
    -- A write, so that WAIT on this connection waits for what the first attempt wrote.
    redis.call('PEXPIRE', KEYS[7], 86400000)
    return {tonumber(first), before, head, last}
  end
end
if head < tonumber(ARGV[3]) then return {-6, head} end

local first, count, was = head + 1, tonumber(ARGV[9]), before
local at = 12
for _ = 1, tonumber(ARGV[10]) do
  head = head + tonumber(ARGV[at])
  for size in string.gmatch(ARGV[at + 2], '%d+') do sum = sum + tonumber(size) end
  redis.call('XADD', KEYS[2], text(head) .. '-0', 'n', ARGV[at], 's', text(sum), 'f', ARGV[at + 1], 'z', ARGV[at + 2], 'r', ARGV[at + 3])
  at = at + 4
end
while at < #ARGV do
  local members, scored = {}, {}
  while at < #ARGV and #members < 500 do
    local member = ARGV[at + 1] .. string.format('%016.0f', first - 1 + tonumber(ARGV[at]))
    members[#members + 1] = member
    scored[#scored + 1] = '0'
    scored[#scored + 1] = member
    at = at + 2
  end
  redis.call('ZADD', KEYS[4], unpack(scored))
  redis.call('RPUSH', KEYS[5], unpack(members))
end
if count > 0 then
  last = ARGV[8]
  -- ages ascends in time and position: where an event is dated before earlier ones, those go when it goes.
  local newest = redis.call('LINDEX', KEYS[6], -1)
  while newest and string.sub(newest, 1, 20) >= ARGV[4] do
    redis.call('RPOP', KEYS[6])
    newest = redis.call('LINDEX', KEYS[6], -1)
  end
  redis.call('RPUSH', KEYS[6], ARGV[4] .. text(head))
  if ARGV[11] == '' then redis.call('XADD', KEYS[3], 'MAXLEN', 1, text(head) .. '-0', 'h', '') end
end

local most, bytes = tonumber(ARGV[6]), tonumber(ARGV[7])
if most > 0 and head - before > most then before = head - most end
local oldest = redis.call('LINDEX', KEYS[6], 0)
while oldest do
  local through = tonumber(string.sub(oldest, 21))
  if ARGV[5] ~= '' and string.sub(oldest, 1, 20) < ARGV[5] then
    before = math.max(before, through)
  elseif through > before then
    break
  end
  redis.call('LPOP', KEYS[6])
  oldest = redis.call('LINDEX', KEYS[6], 0)
end

-- The bytes of all events up to the position.
local function upto(position)
  local entry = redis.call('XRANGE', KEYS[2], text(position) .. '-0', '+', 'COUNT', 1)[1]
  if position >= head or not entry then return sum end
  local total = tonumber(entry[2][4])
  local each = tonumber(string.match(entry[1], '^%d+')) - tonumber(entry[2][2])
  for size in string.gmatch(entry[2][8], '%d+') do
    each = each + 1
    if each > position then total = total - tonumber(size) end
  end
  return total
end
if bytes > 0 and head - before > 1 and sum - upto(before) > bytes then
  local low, high, step = before, before, 1
  repeat
    low, high, step = high, math.min(high + step, head - 1), step * 2
  until high == head - 1 or sum - upto(high) <= bytes
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if sum - upto(middle) <= bytes then high = middle else low = middle end
  end
  before = high
end
if before > was then redis.call('XTRIM', KEYS[2], 'MINID', text(before + 1) .. '-0') end

-- Some of the ids that are out of the history: what is left of them is not found, and goes with the next appends.
local purge = 1000 + 2 * count
while purge > 0 do
  local members, n = redis.call('LRANGE', KEYS[5], 0, 499), 0
  while n < #members and tonumber(string.sub(members[n + 1], -16)) <= before do n = n + 1 end
  if n == 0 then break end
  redis.call('ZREM', KEYS[4], unpack(members, 1, n))
  redis.call('LTRIM', KEYS[5], n, -1)
  purge = purge - n
end

redis.call('HSET', KEYS[1], 'before', text(before), 'head', text(head), 'sum', text(sum), 'last', last)
redis.call('SET', KEYS[7], ARGV[2] .. ' ' .. text(first), 'PX', 86400000)
return {first, before, head, last}
