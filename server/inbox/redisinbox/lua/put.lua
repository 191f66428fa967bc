-- One message for one device. KEYS[3], KEYS[4]: idempotency keys of this ten minutes and
-- of the ten before; KEYS[5]: topics of the device; KEYS[6], if there is one: its presence;
-- then ARGV[13] is this node as presence has it, ARGV[14] to ARGV[16] are Likely.
local now, ttl, bytes, item, id, til = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local maxMessages, maxBytes, store, epoch, maxKeys, topic = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1', ARGV[10], tonumber(ARGV[11]), ARGV[12]
local function owner()
  if not KEYS[6] then return '' end
  local p = redis.call('HMGET', KEYS[6], 'x', 'o')
  return p[1] == '1' and p[2] or ''
end
load()
if not st.e then
  if not store then return {'unknown'} end
  create(epoch)
end
if topic ~= '' and redis.call('SISMEMBER', KEYS[5], topic) == 0 then return {'unknown'} end
if id ~= '' then
  local first = redis.call('HGET', KEYS[3], id) or redis.call('HGET', KEYS[4], id)
  if first then
    local seq, expires, outcome = string.match(first, '^(%d+) (%d+) (%d+)$')
    if seq and tonumber(expires) > now then
      return {'duplicate', tonumber(seq), st.f, st.e, tonumber(outcome), owner()}
    end
  end
  if redis.call('HLEN', KEYS[3]) >= maxKeys then return {'limited'} end
end
if bytes > maxBytes then return {'full'} end
if st.len >= maxMessages or st.b + bytes > maxBytes then
  expire(now)
  if st.len >= maxMessages or st.b + bytes > maxBytes then
    save()
    return {'full', st.gone}
  end
end
local expires = u32(item, 2)
if st.n == 0 or expires < st.x then st.x = expires end
st.s, st.n, st.b, st.c = st.s + 1, st.n + 1, st.b + bytes, string.sub(item, 6, 9)
redis.call('RPUSH', list, item)
-- A minute more than the ttl: who judges is the clock in now, this is only the broom.
if st.len == 0 then
  redis.call('EXPIRE', list, ttl + 60)
else
  redis.call('EXPIRE', list, ttl + 60, 'GT')
end
save()
local has = owner()
if id ~= '' then
  local likely = '0'
  if KEYS[6] then likely = has == '' and ARGV[16] or has == ARGV[13] and ARGV[14] or ARGV[15] end
  redis.call('HSET', KEYS[3], id, string.format('%.0f %s %s', st.s, til, likely))
  redis.call('EXPIRE', KEYS[3], 1260)
end
return {'stored', st.s, st.f, st.e, st.gone, has, st.i}
