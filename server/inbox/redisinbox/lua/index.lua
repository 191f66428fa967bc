-- The indexes say of a device what is so. KEYS[1]: state of its stream; KEYS[2]: its topics; where they lie on this server
-- KEYS[3]: the index of all, and from KEYS[4] on those of the topics in ARGV from 2 on. ARGV[1]: the device.
local known = redis.call('HEXISTS', KEYS[1], 'p') == 1
local function is(key, member)
  if member then redis.call('ZADD', key, 0, ARGV[1]) else redis.call('ZREM', key, ARGV[1]) end
end
if KEYS[3] then is(KEYS[3], known) end
for i = 4, #KEYS do is(KEYS[i], known and redis.call('SISMEMBER', KEYS[2], ARGV[i - 2]) == 1) end
if known and redis.call('HGET', KEYS[1], 'i') ~= '1' then redis.call('HSET', KEYS[1], 'i', '1') end
return known and 1 or 0
