-- All up to a number has arrived, at several devices in one call where all lie on one server: what is wrong with one is said of
-- that one alone. ARGV: now, a new stream; KEYS of each: list, hash; ARGV of each 5: fence, stream, number, last, its tag.
local now, fresh = tonumber(ARGV[1]), ARGV[2]
local function ack(k, a)
  list, head = KEYS[k + 1], KEYS[k + 2]
  local fence, epoch, seq = tonumber(ARGV[a + 1]), ARGV[a + 2], tonumber(ARGV[a + 3])
  parse(call('HGET', head, 'p'))
  if st.f ~= fence or st.e ~= epoch then return {'stale'} end
  if seq > st.s or lost(tonumber(ARGV[a + 4]), ARGV[a + 5]) then
    renew(fresh)
    return {'lost'}
  end
  local acked, names = 0, {}
  if seq > st.a then
    acked, names = drop(seq, now)
    save()
  end
  return {'acked', acked, st.gone, names}
end

local all = {}
for i = 0, #KEYS / 2 - 1 do
  local ok, said = pcall(ack, i * 2, 2 + i * 5)
  all[i + 1] = ok and said or {'failed', type(said) == 'table' and said.err or said}
end
return all
