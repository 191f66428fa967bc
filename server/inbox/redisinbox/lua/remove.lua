-- A device is forgotten. KEYS[3]: its topics; KEYS[4], KEYS[5]: its idempotency keys; where indexes lie on this server KEYS[6]:
-- its part of that of all, and those of its topics are ARGV[2] topic ARGV[3]. ARGV[1]: the device; the last one: until when (late.lua).
load()
if not st.e then return {'unknown'} end
local topics = redis.call('SMEMBERS', KEYS[3])
if KEYS[6] then
  for _, t in ipairs(topics) do redis.call('ZREM', ARGV[2] .. t .. ARGV[3], ARGV[1]) end
  redis.call('ZREM', KEYS[6], ARGV[1])
end
redis.call('DEL', unpack(KEYS, 1, 5))
return {'removed', st.e, st.n, st.gone, topics}
