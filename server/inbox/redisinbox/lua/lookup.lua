-- What there is about a device. KEYS[3]: its topics.
load()
if not st.e then return {'unknown'} end
expire(tonumber(ARGV[1]))
if st.gone > 0 then save() end
return {'is', st.e, st.s, st.a, st.n, st.b, st.gone, redis.call('SMEMBERS', KEYS[3])}
