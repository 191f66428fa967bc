-- A device comes into a topic or leaves it. KEYS[3]: its topics.
local topic, on, fence, most = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
load()
if not st.e or fence > st.f then return 'unknown' end
if not on then
  redis.call('SREM', KEYS[3], topic)
  return 'done'
end
if redis.call('SISMEMBER', KEYS[3], topic) == 0 then
  if redis.call('SCARD', KEYS[3]) >= most then return 'subscriptions' end
  redis.call('SADD', KEYS[3], topic)
end
return 'done'
