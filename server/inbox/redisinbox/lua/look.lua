-- Where a stream stands, for a node that knows it up to last.
local fence, epoch, last, tag, fresh = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
load()
if not st.e or st.f == 0 then return {'lost'} end -- all of it: even the session is not known
if st.f ~= fence or st.e ~= epoch then return {'stale'} end
if lost(last, tag) then
  renew(fresh)
  return {'lost'}
end
return {'is', st.s, st.c}
