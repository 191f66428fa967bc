package presence

import (
	"fmt"
	"strconv"
)

// Redis, the keys. {…} are literal: what they hold decides the slot.
//
//	presence:{device}      hash: the record, fields below; expires only once the device has gone
//	presence:node:{n:inc}  set: devices that this start of the node may have
//	presence:alive:{n:inc} string, expires with the beat's TTL: while it is there nobody sweeps the node
//	presence:dead:{n:inc}  hash: who sweeps the dead node (by, until), what was found (back, lost, stale), done
//	presence:{nodes}       sorted set: node -> its last beat, Redis' time in ms
//	presence:{nodes}:dead  hash: node -> when it was marked as dead, ms
//
// The record's fields are single letters, and its values integers where they can
// be: Redis keeps such a hash as one block of bytes.
//
//	x hold (1 held, 2 left, 3 lost)   o node:incarnation   f fence   s sid, as int64
//	t since   c connected, where x is not 1 (else it is t)   l inbound   r reason

// Tag returns the part in braces of the keys of a device, braces included: keys of
// one device that end in it lie in one slot. A device id that begins with } or %
// gets a % before it, because a tag {} would be none.
func Tag(device string) string {
	if device != "" && (device[0] == '}' || device[0] == '%') {
		device = "%" + device
	}
	return "{" + device + "}"
}

// Key returns the key of a device's record.
func Key(device string) string { return "presence:" + Tag(device) }

// IndexKey returns the key of a node's index.
func IndexKey(o Owner) string { return "presence:node:{" + o.String() + "}" }

func aliveKey(o Owner) string { return "presence:alive:{" + o.String() + "}" }
func deadKey(o Owner) string  { return "presence:dead:{" + o.String() + "}" }

const (
	nodesKey  = "presence:{nodes}"
	deathsKey = "presence:{nodes}:dead"
)

// LuaFunctions are functions for scripts that do presence together with something
// else in one round trip. Put it before the script's own text.
//
//	presence_read(key)
//
// returns {x, o, f, s, t, c, l, r} of a record; false for fields that are not there.
//
//	presence_claim(key, index, device, owner, sid, now, floor)
//
// is Store.Claim and returns the fence and those 8 of the record before: what
// DecodeClaim takes. key is Key(device), among the script's KEYS; owner is
// Owner.String(), sid the session's id as a signed decimal number (SIDText), now
// Unix milliseconds, floor a fence. index is IndexKey(owner), among KEYS too; in a
// cluster, where it lies in another slot, it is "", and the device is put into the
// index before (Store.Prepare).
const LuaFunctions = `
local function presence_read(key)
  return redis.call('HMGET', key, 'x', 'o', 'f', 's', 't', 'c', 'l', 'r')
end
local function presence_connected(p)
  if p[1] == '1' then return tonumber(p[5]) end
  return tonumber(p[6])
end
local function presence_claim(key, index, device, owner, sid, now, floor)
  if index ~= '' then redis.call('SADD', index, device) end
  local p = presence_read(key)
  local known = tonumber(p[3]) or math.min(math.floor(tonumber(now) / 1000) - ` + fenceEpochText + `, ` + firstMostText + `)
  local fence = math.max(known, tonumber(floor), 0) + 1
  fence = string.format('%.0f', fence)
  redis.call('HSET', key, 'x', 1, 'o', owner, 'f', fence, 's', sid, 't', now, 'l', now, 'r', 0)
  redis.call('PERSIST', key)
  table.insert(p, 1, fence)
  return p
end
`

// The scripts. Each is on one device or one node, so it works in a cluster.
const (
	// KEYS record [index]; ARGV device owner sid now floor.
	luaClaim = LuaFunctions + `
return presence_claim(KEYS[1], KEYS[2] or '', ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])`

	// KEYS record; ARGV owner fence provisional connected at reason keep. Answers
	// the hold that ended, or 0.
	luaRelease = LuaFunctions + `
local p = presence_read(KEYS[1])
if not p[1] or p[2] ~= ARGV[1] then return '0' end
local connected = presence_connected(p)
if p[3] ~= ARGV[2] and not (ARGV[3] == '1' and connected <= tonumber(ARGV[4])) then return '0' end
if p[1] == '2' then
  if p[5] == ARGV[5] then return '1' end
  return '0'
end
redis.call('HSET', KEYS[1], 'x', 2, 't', ARGV[5], 'c', string.format('%.0f', connected), 'r', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return p[1]`

	// KEYS record; ARGV owner fence inbound. Answers {outcome, record if refused}.
	luaRefresh = LuaFunctions + `
local p = presence_read(KEYS[1])
if not p[1] then return {'3'} end
local fence, mine = tonumber(p[3]), tonumber(ARGV[2])
if fence < mine or (fence == mine and p[2] ~= ARGV[1]) then return {'3'} end
if fence == mine then
  if p[1] == '3' then return {'3'} end
  if p[1] == '1' then
    if tonumber(ARGV[3]) > tonumber(p[7]) then redis.call('HSET', KEYS[1], 'l', ARGV[3]) end
    return {'1'}
  end
end
table.insert(p, 1, '2')
return p`

	// KEYS record; ARGV owner sid connected inbound fence provisional. Answers
	// {outcome, fence, record before}.
	luaAssert = LuaFunctions + `
local p = presence_read(KEYS[1])
local mine, fence = tonumber(ARGV[5]), tonumber(p[3]) or 0
local take, give = false, mine
if not p[1] then
  take = true
elseif ARGV[6] == '0' and fence == mine and p[2] == ARGV[1] then
  take = p[1] ~= '2'
  if p[1] == '3' then give = fence + 1 end
elseif ARGV[6] ~= '0' or fence <= mine then
  local connected, at = presence_connected(p), tonumber(ARGV[3])
  take = at > connected or (at == connected and p[1] == '1' and p[2] == ARGV[1])
  give = math.max(mine, fence + 1)
end
if not take then
  table.insert(p, 1, '0')
  table.insert(p, 1, '2')
  return p
end
give = string.format('%.0f', give)
redis.call('HSET', KEYS[1], 'x', 1, 'o', ARGV[1], 'f', give, 's', ARGV[2], 't', ARGV[3], 'l', ARGV[4], 'r', 0)
redis.call('PERSIST', KEYS[1])
table.insert(p, 1, give)
table.insert(p, 1, '1')
return p`

	// KEYS record; ARGV owner now reason keep. Answers {what was found, fence}.
	luaSweep = LuaFunctions + `
local p = presence_read(KEYS[1])
if not p[1] then return {'4', '0'} end
if p[2] ~= ARGV[1] then return {'3', p[3]} end
if p[1] == '3' then return {'2', p[3]} end
if p[1] == '2' then return {'4', p[3]} end
redis.call('HSET', KEYS[1], 'x', 3, 't', ARGV[2], 'c', p[5], 'r', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'1', p[3]}`

	// KEYS nodes deaths; ARGV owner revive. Answers 1 if a mark was removed.
	luaBeat = `
local t = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)), ARGV[1])
if ARGV[2] == '1' then return tostring(redis.call('HDEL', KEYS[2], ARGV[1])) end
return '0'`

	// KEYS nodes deaths. Answers {now, node, beat, ...} and {node, death, ...}.
	luaNodes = `
local t = redis.call('TIME')
local beats = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
table.insert(beats, 1, string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
return {beats, redis.call('HGETALL', KEYS[2])}`

	// KEYS dead alive; ARGV by ttl keep. Answers 1 if it is the sweeper. A node stores
	// nothing unless it has beaten within the beat's TTL, so while alive is not there
	// nobody puts anything into its index.
	luaTake = `
if redis.call('EXISTS', KEYS[2]) == 1 then return '0' end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local p = redis.call('HMGET', KEYS[1], 'by', 'until', 'done')
if p[3] then return '0' end
if p[1] and p[1] ~= ARGV[1] and tonumber(p[2]) > now then return '0' end
redis.call('HSET', KEYS[1], 'by', ARGV[1], 'until', string.format('%.0f', now + tonumber(ARGV[2])))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return '1'`

	// KEYS index dead alive; ARGV what device what device... Only what is still in the index
	// is counted, so neither a sweep that is cut short nor a second sweeper counts
	// anything twice.
	luaTally = `
if redis.call('EXISTS', KEYS[2]) == 0 or redis.call('EXISTS', KEYS[3]) == 1 then return '0' end
local n = {0, 0, 0, 0}
for i = 1, #ARGV, 2 do
  local what = tonumber(ARGV[i])
  n[what] = n[what] + redis.call('SREM', KEYS[1], ARGV[i + 1])
end
redis.call('HINCRBY', KEYS[2], 'lost', n[1] + n[2])
redis.call('HINCRBY', KEYS[2], 'back', n[3])
redis.call('HINCRBY', KEYS[2], 'stale', n[4])
return '1'`

	// KEYS index dead alive. Answers {no} if there is more to sweep or the node lives,
	// {back, lost, stale} once, and {} after that: the key stays for a minute, for those
	// who still take the node for one to be swept.
	luaEnd = `
if redis.call('SCARD', KEYS[1]) > 0 or redis.call('EXISTS', KEYS[3]) == 1 then return {'no'} end
local p = redis.call('HMGET', KEYS[2], 'back', 'lost', 'stale', 'by', 'done')
if p[5] or not p[4] then return {} end
redis.call('HSET', KEYS[2], 'done', 1)
redis.call('PEXPIRE', KEYS[2], 60000)
return {p[1] or '0', p[2] or '0', p[3] or '0'}`
)

// fenceEpoch and firstMost for scripts.
const (
	fenceEpochText = "1700000000"
	firstMostText  = "1073741824"
)

// SIDText returns a session id as records hold it.
func SIDText(sid uint64) string { return strconv.FormatInt(int64(sid), 10) }

// recordFields is how many fields of a record presence_read returns.
const recordFields = 8

// DecodeClaim reads what presence_claim returned: the fence and the 8 fields of the
// record before, "" for those that are not there.
func DecodeClaim(reply []string) (Claim, error) {
	if len(reply) != 1+recordFields {
		return Claim{}, fmt.Errorf("%w: a claim's reply has %d parts, want %d", ErrDecode, len(reply), 1+recordFields)
	}
	fence, err := strconv.ParseUint(reply[0], 10, 32)
	if err != nil || fence == 0 {
		return Claim{}, fmt.Errorf("%w: fence %q", ErrDecode, clip(reply[0]))
	}
	r, err := decodeRecord(reply[1:])
	return Claim{Fence: uint32(fence), Previous: r}, err
}

// decodeRecord reads the 8 fields of a record.
func decodeRecord(f []string) (r Record, err error) {
	if len(f) != recordFields {
		return r, fmt.Errorf("%w: %d fields, want %d", ErrDecode, len(f), recordFields)
	}
	if f[0] == "" {
		return r, nil
	}
	number := func(field string, i, bits int) (n int64) {
		if err != nil {
			return 0
		}
		if n, err = strconv.ParseInt(f[i], 10, bits); err != nil {
			err = fmt.Errorf("%w: field %s is %q, not a number of %d bits", ErrDecode, field, clip(f[i]), bits)
		}
		return n
	}
	r.Hold = Hold(number("x", 0, 8))
	if err == nil && (r.Hold < Held || r.Hold > Lost || len(f[0]) != 1) {
		err = fmt.Errorf("%w: field x is %q", ErrDecode, clip(f[0]))
	}
	fence := number("f", 2, 64)
	if err == nil && (fence < 1 || fence > 1<<32-1) {
		err = fmt.Errorf("%w: fence %d", ErrDecode, fence)
	}
	r.Fence, r.SID = uint32(fence), uint64(number("s", 3, 64))
	r.Since, r.Inbound = number("t", 4, 64), number("l", 6, 64)
	reason := number("r", 7, 32)
	if err == nil && (reason < 0 || reason > 1<<16-1) {
		err = fmt.Errorf("%w: reason %d", ErrDecode, reason)
	}
	if r.Connected = r.Since; r.Hold != Held {
		r.Connected = number("c", 5, 64)
	}
	if err == nil {
		r.Owner, err = ParseOwner(f[1])
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrDecode, err)
		}
	}
	if err != nil {
		return Record{}, err
	}
	r.Reason = Reason(reason)
	return r, nil
}

// encodeRecord is the inverse, as a script would have stored it.
func encodeRecord(r *Record) []string {
	if r.Hold == Nobody {
		return make([]string, recordFields)
	}
	f := []string{strconv.Itoa(int(r.Hold)), r.Owner.String(), strconv.FormatUint(uint64(r.Fence), 10), SIDText(r.SID),
		millis(r.Since), millis(r.Connected), millis(r.Inbound), strconv.Itoa(int(r.Reason))}
	if r.Hold == Held {
		f[5] = ""
	}
	return f
}

func millis(t int64) string { return strconv.FormatInt(t, 10) }
