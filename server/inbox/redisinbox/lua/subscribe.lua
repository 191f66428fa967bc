-- A device comes into a topic or leaves it. KEYS[3]: its topics; where they lie on this server KEYS[4]: its part of the topic's
-- index, KEYS[5]: the topics that there are, KEYS[6]: the topic's latest value, which is in the reply.
-- ARGV: topic, '1' for into, fence, most topics of a device, device; until when (late.lua).
local topic, on, fence, most, device = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
load()
if not st.e or fence > st.f then return {'unknown'} end
if not on then
  redis.call('SREM', KEYS[3], topic)
  if KEYS[4] then redis.call('ZREM', KEYS[4], device) end
  return {'done'}
end
if redis.call('SISMEMBER', KEYS[3], topic) == 0 and redis.call('SCARD', KEYS[3]) >= most then return {'subscriptions'} end
if KEYS[4] then
  redis.call('ZADD', KEYS[5], 0, topic)
  redis.call('ZADD', KEYS[4], 0, device)
end
redis.call('SADD', KEYS[3], topic)
return {'done', KEYS[6] and redis.call('GET', KEYS[6]) or false}
