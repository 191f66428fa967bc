-- Whether what is counted is what is there.
load()
if not st.e then return '' end
local n, b, low = 0, 0, 4294967295
for i, item in ipairs(redis.call('LRANGE', list, 0, -1)) do
  if item == '' then
    if i == 1 then return 'the inbox begins with a hole' end
  else
    n, b, low = n + 1, b + size(item), math.min(low, u32(item, 2))
  end
end
if st.a > st.s then return 'acknowledged ' .. st.a .. ' of ' .. st.s end
if st.len > st.s - st.a then return st.len .. ' wait, and ' .. st.a .. ' of ' .. st.s .. ' are acknowledged' end
if n ~= st.n or b ~= st.b then return 'counts ' .. st.n .. ' messages of ' .. st.b .. ' bytes, has ' .. n .. ' of ' .. b end
if n > 0 and low < st.x then return 'one expires at ' .. low .. ', before ' .. st.x end
return ''
