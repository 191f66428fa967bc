-- claim by presence: KEYS[4] is the device's record, KEYS[5], if there is one, the index of
-- the node's devices; ARGV from 11 on: device, owner, sid, ms.
local claimed
local function claim(now, floor)
  if st.f == 0 then st.f = math.max(now - 1700000000, 0) end -- as without presence
  claimed = presence_claim(KEYS[4], KEYS[5] or '', ARGV[11], ARGV[12], ARGV[13], ARGV[14], math.max(st.f, floor))
  st.f = tonumber(claimed[1])
end
