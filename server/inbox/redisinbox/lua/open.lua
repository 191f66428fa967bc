-- A session of a device begins. KEYS[3]: topics of the device. ARGV[1]: what the device says of itself: '0' nothing; '1' the stream and
-- the number that follow; '2' a provisional epoch: its session before this one began without Redis, it has had nothing and so
-- has lost nothing.
local given, epoch, seq, now, fresh = ARGV[1] == '1', ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
-- What the node knows of an earlier session: stream, last number and its tag, fence.
local seenEpoch, seenLast, seenTag, floor, allow = ARGV[6], tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9]), ARGV[10] == '1'
local resumed, from, acked, names = 0, 0, 0, {}
load()
if not st.e then
  if not allow then return {'devices'} end
  create(fresh)
  if ARGV[1] == '2' then resumed = 1 end
elseif seenEpoch == st.e and lost(seenLast, seenTag) then
  st.e = fresh
elseif not given then
  resumed = 1
elseif epoch ~= st.e then
  -- delivery goes on behind what was acknowledged
elseif seq > st.s then
  st.e = fresh
elseif seq < st.a then
  from = st.a + 1
else
  resumed = 1
  if seq > st.a then acked, names = drop(seq, now) end
end
claim(now, floor)
save()
for i = 1, #claimed do claimed[i] = claimed[i] or '' end
return {'open', st.f, st.e, st.s, st.a, resumed, from, st.c, acked, st.gone, call('HGET', head, 'i') or '0', redis.call('SMEMBERS', KEYS[3]), names, claimed}
