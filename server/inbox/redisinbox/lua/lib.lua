-- What every script begins with. KEYS[1] is the list of what waits, KEYS[2] the hash
-- with the state of the device's stream; both have the device's hash tag.
--
-- The last item of the list is message s, the one before it s - 1, and so on: no item
-- needs its number. Items begin behind what was acknowledged (a), and never with a hole.
--   ''                                       a hole: its ttl has passed
--   'm' expires(4) tag(4) content            a message
--   's' expires(4) tag(4) size(4) name       a message to many, whose content is in body:<name>
-- tag is a random number of the append. Who knows the tag of message n, and finds it
-- there, knows that all up to n is the history that it has seen.
local list, head = KEYS[1], KEYS[2]
local call = redis.call
local st = {}

-- The state is one field, p: as fields of their own, reading and writing nine of them is a
-- third of what a put costs Redis. Beside it is i, '1': the device is in the index of all; that is set from outside.
local form = '>I6I6I4I4I4I4I4I4Bc4Bc0'

-- parse takes the state. How many items the list has is not in it: count asks.
local function parse(p)
  st.gone, st.len = 0, 0         -- messages found expired by this script; items in the list
  if p then
    st.s,                        -- last number given
    st.a,                        -- last number acknowledged
    st.b,                        -- bytes of messages that wait
    st.n,                        -- messages that wait
    st.x,                        -- none of them expires before
    st.f,                        -- fence: number of the last session
    st.w,                        -- newest ten minutes that have idempotency keys
    st.q,                        -- how many they have
    st.v,                        -- 1: so may the ten minutes before them
    st.c,                        -- tag of message s
    st.e = struct.unpack(form, p) -- epoch; false: the device is not known
    if st.c == '\0\0\0\0' then st.c = '' end
  else
    st.s, st.a, st.b, st.n, st.x, st.f, st.w, st.q, st.v, st.c, st.e = 0, 0, 0, 0, 0, 0, 0, 0, 0, '', false
  end
end

-- vanished takes that Redis has dropped the list: it is kept until the last of its messages has expired.
local function vanished()
  st.gone, st.n, st.b, st.x = st.gone + st.n, 0, 0, 0
end

local function count()
  if st.s > st.a then st.len = call('LLEN', list) end
  if st.len == 0 and st.n > 0 then vanished() end
end

local function load()
  parse(call('HGET', head, 'p'))
  count()
end

local function save()
  local tag = st.c
  if tag == '' then tag = '\0\0\0\0' end
  call('HSET', head, 'p', struct.pack(form, st.s, st.a, st.b, st.n, st.x, st.f, st.w, st.q, st.v, tag, #st.e, st.e))
end

-- create makes the device known. What else is there was left behind by a removal. HSET is
-- first: it fails where Redis has no memory, and nothing does any more in a script that has written.
local function create(epoch)
  call('HSET', head, 'p', '')
  call('DEL', list, head)
  st.e, st.len = epoch, 0
end

local function u32(s, i)
  local a, b, c, d = string.byte(s, i, i + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function size(item)
  if string.byte(item) == 109 then return #item - 9 end
  return u32(item, 10)
end

-- trim takes holes off the front.
local function trim()
  while st.len > 0 and call('LINDEX', list, 0) == '' do
    call('LPOP', list)
    st.len = st.len - 1
  end
end

-- expire turns what has expired into holes. It looks only if something can have.
local function expire(now)
  if st.n == 0 or st.x > now then return end
  local low = 4294967295
  for i, item in ipairs(call('LRANGE', list, 0, -1)) do
    if item ~= '' then
      local at = u32(item, 2)
      if at <= now then
        st.n, st.b, st.gone = st.n - 1, st.b - size(item), st.gone + 1
        call('LSET', list, i - 1, '')
      elseif at < low then
        low = at
      end
    end
  end
  st.x = low
  trim()
end

-- drop takes all up to seq as delivered; it returns how many messages that were, and
-- the names of bodies among them. Who has all needs no count of what there is.
local function drop(seq, now)
  local acked, names, k = 0, {}, st.s - st.a
  if seq < st.s then
    count()
    k = math.min(st.len, seq - (st.s - st.len))
  end
  local items = k > 0 and call('LPOP', list, k) or {}
  for _, item in ipairs(items) do
    if item ~= '' then
      st.n, st.b = st.n - 1, st.b - size(item)
      if u32(item, 2) <= now then st.gone = st.gone + 1 else acked = acked + 1 end
      if string.byte(item) == 115 then names[#names + 1] = string.sub(item, 14) end
    end
  end
  if seq == st.s then
    st.len = 0
    if st.n > 0 then vanished() end
  elseif k > 0 then
    st.len = st.len - k
    trim()
  end
  st.a = seq
  return acked, names
end

-- lost reports whether what the caller has seen, up to message last with that tag, is
-- not in the history of this stream: the Redis that had it is not the one that we are. Behind the tag there may be
-- other messages that have to be in it, each tag and number(6); a tag of zeros is not known.
local function lost(last, tag)
  for i = 5, #tag, 10 do
    if lost(struct.unpack('>I6', tag, i + 4), string.sub(tag, i, i + 3)) then return true end
  end
  tag = string.sub(tag, 1, 4)
  if last == 0 then return false end
  if last > st.s then return true end
  if #tag ~= 4 or tag == '\0\0\0\0' then return false end
  if last == st.s then return st.c ~= tag end
  if st.len == 0 then count() end
  local i = last - (st.s - st.len + 1)
  if i < 0 then return false end
  local item = call('LINDEX', list, i)
  return item and item ~= '' and string.sub(item, 6, 9) ~= tag
end

-- renew begins a new stream in place of one whose history was lost, and ends the session
-- that believes in the old one.
local function renew(epoch)
  st.e, st.f = epoch, st.f + 1
  save()
end
