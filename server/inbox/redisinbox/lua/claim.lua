-- claim numbers the session that begins. A device that is not known begins with the time:
-- who has lost the counter does not count over what others have seen, as long as devices
-- connect less than once a second on average. floor is what the node has seen.
local claimed = {}
local function claim(now, floor)
  if st.f == 0 then st.f = math.max(now - 1700000000, 0) end
  st.f = math.max(st.f, floor) + 1
end
