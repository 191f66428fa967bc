-- Messages for devices, several in one call where all lie on one server: what is wrong with one is said of
-- that one alone.
--   ARGV 1 to 12   now; most messages and bytes in an inbox; '1': who is not known becomes so, by the stream that follows;
--                  most idempotency keys; topic or ''; this node as presence has it or ''; Likely: here, elsewhere, away;
--                  what the channels of nodes begin with, '' where none is to be told
--   KEYS           of each message: list, hash, its idempotency keys of this ten minutes and of the ten before;
--                  with a topic the device's topics; with this node the device's presence
--   ARGV from 13   of each message: item, id; with channels what is before and behind the numbers in its notice
--   reply          of each message 8: verdict, number, fence, stream, expired, owner, indexed or outcome, and how many took
--                  the notice, -1 where there is none
local call = redis.call
local now, maxMessages, maxBytes, store, epoch = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5]
local maxKeys, topic, self, here, elsewhere, away, channels = tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local subsAt, ownerAt = topic ~= '' and 5, self ~= '' and (topic ~= '' and 6 or 5)
local keysEach, argsEach = 4 + (subsAt and 1 or 0) + (ownerAt and 1 or 0), channels ~= '' and 4 or 2
local window = math.floor(now / 600)
local home = string.match(self, '^(.*):%d+$')

local told = {} -- by node: notices, and where the reply says how many took them

-- fits reports whether there is room for bytes more, once what has expired is gone.
local function fits(bytes)
  if st.len < maxMessages and st.b + bytes <= maxBytes then return true end
  expire(now)
  return st.len < maxMessages and st.b + bytes <= maxBytes
end

local function put(k, a, out, o)
  list, head = KEYS[k + 1], KEYS[k + 2]
  local item, id = ARGV[a + 1], ARGV[a + 2]
  load()
  if not st.e then
    if not store then out[o] = 'unknown' return end
    create(epoch)
  end
  if subsAt and call('SISMEMBER', KEYS[k + subsAt], topic) == 0 then out[o] = 'unknown' return end
  local owner = ''
  if ownerAt then
    local p = call('HMGET', KEYS[k + ownerAt], 'x', 'o')
    if p[1] == '1' then owner = p[2] or '' end
  end
  local keys, count, fresh, older = KEYS[k + 3], st.q, false, st.v == 1
  if id ~= '' then
    if st.w < window then
      count, fresh, older = 0, true, st.w == window - 1
    elseif st.w > window then
      older = true -- another node's clock was ahead of ours
    end
    local first = not fresh and call('HGET', keys, id) or older and call('HGET', KEYS[k + 4], id)
    if first then
      local seq, expires, outcome = string.match(first, '^(%d+) (%d+) (%d+)$')
      if seq and tonumber(expires) > now then
        out[o], out[o + 1], out[o + 2], out[o + 3], out[o + 5], out[o + 6] = 'duplicate', tonumber(seq), st.f, st.e, owner, outcome
        return
      end
    end
    if count >= maxKeys then out[o] = 'limited' return end
  end
  local bytes = size(item)
  if bytes > maxBytes then out[o] = 'full' return end
  if not fits(bytes) then
    save()
    out[o], out[o + 4] = 'full', st.gone
    return
  end
  local expires = u32(item, 2)
  if st.n == 0 or expires < st.x then st.x = expires end
  st.s, st.n, st.b, st.c = st.s + 1, st.n + 1, st.b + bytes, string.sub(item, 6, 9)
  call('RPUSH', list, item)
  -- A minute more than the ttl: who judges is the clock in now, this is only the broom.
  if st.len == 0 then
    call('EXPIRE', list, expires - now + 60)
  else
    call('EXPIRE', list, expires - now + 60, 'GT')
  end
  if id ~= '' then
    local likely = '0'
    if ownerAt then likely = owner == '' and away or owner == self and here or elsewhere end
    local til = math.min(expires, now + 600)
    call('HSET', keys, id, string.format('%.0f %d %s', st.s, til, likely))
    -- From the first of them on: the last one counts for ten minutes from the end of these.
    if fresh or st.w > window then call('EXPIRE', keys, 1260) end
    if st.w > window then st.v = 1 else st.w, st.q, st.v = window, count + 1, older and 1 or 0 end
  end
  save()
  out[o], out[o + 1], out[o + 2], out[o + 3], out[o + 4], out[o + 5], out[o + 6] = 'stored', st.s, st.f, st.e, st.gone, owner, st.i
  if argsEach == 4 and owner ~= '' then
    local node = string.match(owner, '^(.*):%d+$') or owner
    if node ~= home then
      local t = told[node] or {notices = {}, at = {}}
      told[node] = t
      t.notices[#t.notices + 1] = bus_notice(ARGV[a + 3], st.s, st.e, st.f, ARGV[a + 4])
      t.at[#t.at + 1] = o + 7
    end
  end
end

local out = {}
for i = 0, #KEYS / keysEach - 1 do
  local o = i * 8 + 1
  out[o], out[o + 1], out[o + 2], out[o + 3], out[o + 4], out[o + 5], out[o + 6], out[o + 7] = '', 0, 0, '', 0, '', '0', -1
  local ok, why = pcall(put, i * keysEach, 12 + i * argsEach, out, o)
  if not ok then out[o], out[o + 3] = 'failed', type(why) == 'table' and why.err or why end
end
for node, t in pairs(told) do
  local n = redis.pcall('PUBLISH', channels .. node, bus_pack(t.notices))
  if type(n) ~= 'number' then n = -1 end -- they are stored: whoever asked tells the node himself
  for _, at in ipairs(t.at) do out[at] = n end
end
return out
