-- All up to seq has arrived.
local fence, epoch, seq, now, last, tag, fresh = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
load()
if st.f ~= fence or st.e ~= epoch then return {'stale'} end
if seq > st.s or lost(last, tag) then
  renew(fresh)
  return {'lost'}
end
local acked, names = 0, {}
if seq > st.a then
  acked, names = drop(seq, now)
  save()
end
return {'acked', acked, st.gone, names}
