-- A topic has a latest value, or has it no more. KEYS[1]: the value; KEYS[2], if it lies on this server: the topics that there
-- are. ARGV: topic; value, '' for none; its ttl; until when (late.lua).
if ARGV[2] == '' then return {'set', redis.call('DEL', KEYS[1])} end
if KEYS[2] then redis.call('ZADD', KEYS[2], 0, ARGV[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return {'set', 1}
