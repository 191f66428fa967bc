-- Messages for devices, several in one call where all lie on one server: what is wrong with one is said of
-- that one alone.
--   ARGV 1 to 12   now; most messages and bytes in an inbox; '1': who is not known becomes so, by the stream that follows;
--                  most idempotency keys; topic or ''; this node as presence has it or ''; Likely: here, elsewhere, away;
--                  what the channels of nodes begin with, '' where none is to be told
--   KEYS           of each message: list, hash, its idempotency keys of this ten minutes and of the ten before;
--                  with a topic the device's topics; with this node the device's presence
--   ARGV from 13   of each message: item, id; with channels its notice, without the numbers
--   reply          of each message two. Stored, in bytes, which cost Redis and the node half of what fields of their own do:
--                    number(6) fence(4) before(4) size(1) stream      before: tag of the message before it
--                    expired(4) indexed(1) notice(1) owner      notice: which of the nodes that are told, from 1 on; 0 for none
--                  All others a list: verdict, number, fence, stream, expired, owner, outcome; and ''.
--                  Behind them a list: how many took the notices of each node, -1 where nobody knows
local now, maxMessages, maxBytes, store, epoch = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5]
local maxKeys, topic, self, here, elsewhere, away, channels = tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local subsAt, ownerAt = topic ~= '' and 5, self ~= '' and (topic ~= '' and 6 or 5)
local keysEach, argsEach = 4 + (subsAt and 1 or 0) + (ownerAt and 1 or 0), channels ~= '' and 3 or 2
local window = math.floor(now / 600)
local KEYS, ARGV, pack, sub = KEYS, ARGV, struct.pack, string.sub
local home = string.match(self, '^(.*):%d+$')

-- Redis looks through a small hash from its front: 7 us where a device has had some 200 messages in ten minutes, a quarter of what
-- a put took. One with a name of more than 64 bytes becomes a table, and stays one.
local tableAt, wide = 32, string.rep('\0', 65)

local nodes = {}              -- by owner: the id of the node that is to be told, false for none
local told, notices = {}, {}  -- nodes in their order; by node: its number among them, at, and its notices in two parts each

-- room reports whether there is room for bytes more, once what has expired is gone.
local function room(bytes)
  count()
  if st.len < maxMessages and st.b + bytes <= maxBytes then return true end
  expire(now)
  return st.len < maxMessages and st.b + bytes <= maxBytes
end

-- again is the answer where first is what became of a message that had the id, and still counts.
local function again(first, owner)
  local seq, expires, outcome = string.match(first, '^(%d+) (%d+) (%d+)$')
  if seq and tonumber(expires) > now then return {'duplicate', tonumber(seq), st.f, st.e, 0, owner, outcome} end
end

-- notify collects the notice of a message, and returns the number of its node.
local function notify(owner, numbers, notice)
  local node = nodes[owner]
  if node == nil then
    node = string.match(owner, '^(.*):%d+$') or owner
    node = node ~= '' and node ~= home and node
    nodes[owner] = node
  end
  if not node then return 0 end
  local t = notices[node]
  if not t then
    if #told == 255 then return 0 end
    told[#told + 1] = node
    t = {at = #told}
    notices[node] = t
  end
  local n = #t
  t[n + 1], t[n + 2] = numbers, notice
  return t.at
end

local function put(k, a)
  list, head = KEYS[k + 1], KEYS[k + 2]
  local item, id = ARGV[a + 1], ARGV[a + 2]
  local h = call('HMGET', head, 'p', 'i')
  parse(h[1])
  if not st.e then
    if not store then return {'unknown'} end
    create(epoch)
    h[2] = false
  end
  if subsAt and call('SISMEMBER', KEYS[k + subsAt], topic) == 0 then return {'unknown'} end
  local owner = ''
  if ownerAt then
    local p = call('HMGET', KEYS[k + ownerAt], 'x', 'o')
    if p[1] == '1' then owner = p[2] or '' end
  end
  local bytes, expires = size(item), u32(item, 2)
  -- Mostly there is room whatever is in the list, and then the id is looked up and noted by one command.
  local quick = st.s - st.a < maxMessages and st.b + bytes <= maxBytes
  local keys, used, fresh, older, note = KEYS[k + 3], st.q, false, st.v == 1
  if id ~= '' then
    if st.w < window then
      used, fresh, older = 0, true, st.w == window - 1
    elseif st.w > window then
      older = true -- another node's clock was ahead of ours
    end
    local likely = '0'
    if ownerAt then likely = owner == '' and away or owner == self and here or elsewhere end
    note = string.format('%.0f %d %s', st.s + 1, math.min(expires, now + 600), likely)
    quick = quick and used < maxKeys
    local first = older and call('HGET', KEYS[k + 4], id)
    local answer = first and again(first, owner)
    if not answer and (not quick or call('HSETNX', keys, id, note) == 0) then
      first = call('HGET', keys, id)
      answer = first and again(first, owner)
      if not answer and quick then call('HSET', keys, id, note) end -- the one that had it counts no more
    end
    if answer then return answer end
    if used >= maxKeys then return {'limited'} end
  end
  if not quick then
    if bytes > maxBytes then return {'full', 0, 0, '', 0} end
    if not room(bytes) then
      save()
      return {'full', 0, 0, '', st.gone}
    end
    if id ~= '' then call('HSET', keys, id, note) end
  end
  local len = redis.pcall('RPUSH', list, item)
  if type(len) ~= 'number' then
    if id ~= '' then call('HDEL', keys, id) end -- or it would be a duplicate of nothing
    error(len)
  end
  if len == 1 and st.n > 0 then vanished() end
  local before = st.c ~= '' and st.c or '\0\0\0\0'
  if st.n == 0 or expires < st.x then st.x = expires end
  st.s, st.n, st.b, st.c = st.s + 1, st.n + 1, st.b + bytes, sub(item, 6, 9)
  -- A minute more than the ttl: who judges is the clock in now, this is only the broom.
  if len == 1 then
    call('EXPIRE', list, expires - now + 60)
  else
    call('EXPIRE', list, expires - now + 60, 'GT')
  end
  if id ~= '' then
    -- From the first of them on: the last one counts for ten minutes from the end of these.
    if fresh or st.w > window then call('EXPIRE', keys, 1260) end
    if used == tableAt and st.w == window then
      call('HSET', keys, wide, wide)
      call('HDEL', keys, wide)
    end
    if st.w > window then st.v = 1 else st.w, st.q, st.v = window, used + 1, older and 1 or 0 end
  end
  save()
  local numbers = pack('>I6I4c4Bc0', st.s, st.f, before, #st.e, st.e)
  local at = argsEach == 3 and notify(owner, numbers, ARGV[a + 3]) or 0
  return numbers, pack('>I4BB', st.gone, h[2] == '1' and 1 or 0, at) .. owner
end

local out = {}
for i = 0, #KEYS / keysEach - 1 do
  local ok, said, more = pcall(put, i * keysEach, 12 + i * argsEach)
  if not ok then said = {'failed', 0, 0, type(said) == 'table' and said.err or tostring(said)} end
  out[2 * i + 1], out[2 * i + 2] = said, more or ''
end
local took = {}
for i, node in ipairs(told) do
  local n = redis.pcall('PUBLISH', channels .. node, bus_stored(notices[node]))
  took[i] = type(n) == 'number' and n or -1 -- they are stored: whoever asked tells the node himself
end
out[#out + 1] = took
return out
