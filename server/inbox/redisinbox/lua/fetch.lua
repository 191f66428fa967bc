-- The next messages of a device. Writes nothing, but when the stream was lost.
local fence, epoch, from, max, bytes, now = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local last, tag, fresh = tonumber(ARGV[7]), ARGV[8], ARGV[9]
load()
if not st.e or st.f == 0 then return {'lost'} end -- all of it: even the session is not known
if st.f ~= fence or st.e ~= epoch then return {'stale'} end
if lost(last, tag) then
  renew(fresh)
  return {'lost'}
end
local skip, items, had, at = 0, {}, 0, 0
local first = st.s - st.len + 1
from = math.max(from, st.a + 1)
if from < first then
  skip = first - 1
  from = first
end
-- In pieces: what is at the end of a long inbox is not wanted.
local i = from - first
while i < st.len and #items < max do
  local piece = redis.call('LRANGE', list, i, i + math.min(max - #items, 64) - 1)
  for _, item in ipairs(piece) do
    if item == '' or u32(item, 2) <= now then
      if #items > 0 then i = st.len break end
      skip = first + i
    else
      had = had + size(item)
      if had > bytes and #items > 0 then i = st.len break end
      if #items == 0 then at = first + i end
      items[#items + 1] = item
    end
    i = i + 1
  end
end
return {'is', st.s, st.c, skip, at, items}
