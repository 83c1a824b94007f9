-- Reads the chunks that a page of the history is in.
-- KEYS: meta, log
-- ARGV: store, position after which to read, position up to which to read or 0, most bytes of frames,
--       '1' where what the replicas have not confirmed is left out or ''
-- Returns before, head and last as they are, without what is left out, and the head with it; then of each chunk: last
-- position, number of events, records; or a status.
local meta = redis.call('HMGET', KEYS[1], 'store', 'before', 'head', 'last', 'confirmed', 'sure')
if not meta[1] then return {-1} end
if meta[1] ~= ARGV[1] then return {-2} end
local before, head = tonumber(meta[2]), tonumber(meta[3])
local stored, last, from = head, meta[4], math.max(tonumber(ARGV[2]), before) + 1
if ARGV[5] == '1' and tonumber(ARGV[2]) < head then
  local confirmed = tonumber(meta[5] or 0)
  if confirmed < head then
    head, last = math.max(confirmed, tonumber(ARGV[2])), meta[6] or ''
    before = math.min(before, head)
  end
end
local page = {before, head, last, stored}
local to, left = tonumber(ARGV[3]), tonumber(ARGV[4])
if to == 0 or to > head then to = head end
local start = string.format('%.0f-0', from)
while from <= to do
  local entries = redis.call('XRANGE', KEYS[2], start, '+', 'COUNT', 8)
  for _, entry in ipairs(entries) do
    local through, fields = tonumber(string.match(entry[1], '^%d+')), entry[2]
    page[#page + 1] = through
    page[#page + 1] = tonumber(fields[2])
    page[#page + 1] = fields[10]
    -- What is left out of the first chunk does not count.
    if through - tonumber(fields[2]) + 1 >= from then left = left - tonumber(fields[6]) end
    if left < 0 or through >= to then return page end
  end
  if #entries < 8 then break end
  start = '(' .. entries[#entries][1]
end
return page
