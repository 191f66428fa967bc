-- Whether a message that was accepted is there, of a device that nobody may ever have told of it. ARGV: stream, number, tag, a new
-- stream. Returns how many are lost at least. What makes no sense is Check's to say: it is not asked for again.
local seq = tonumber(ARGV[2])
local ok, gone = pcall(function()
  load()
  return st.e == ARGV[1] and lost(seq, ARGV[3])
end)
if not ok or not gone then return 0 end
local n = math.max(seq - st.s, 1)
renew(ARGV[4])
return n
