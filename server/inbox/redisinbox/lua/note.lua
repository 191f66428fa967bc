-- What became of the first message with an idempotency key. KEYS[1], KEYS[2]: as KEYS[3],
-- KEYS[4] of put.
for i = 1, 2 do
  local first = redis.call('HGET', KEYS[i], ARGV[1])
  if first then
    redis.call('HSET', KEYS[i], ARGV[1], (string.gsub(first, '%d+$', ARGV[2])))
    return 1
  end
end
return 0
