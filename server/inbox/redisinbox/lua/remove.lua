-- A device is forgotten. KEYS[3]: its topics; KEYS[4], KEYS[5]: its idempotency keys.
load()
if not st.e then return {'unknown'} end
local topics = redis.call('SMEMBERS', KEYS[3])
redis.call('DEL', unpack(KEYS))
return {'removed', st.e, st.n, st.gone, topics}
