-- Scripts that would undo what has been done since are not carried out when nobody waits for them any more: the bytes of a
-- connection that was given up are read nevertheless. The last of ARGV is until when, in ms by our own clock.
local function late()
  local t = redis.call('TIME')
  if t[1] * 1000 + math.floor(t[2] / 1000) < tonumber(ARGV[#ARGV]) then return false end
  return {'late', t[1], t[2]}
end
local too = late()
if too then return too end
