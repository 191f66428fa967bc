package fanout

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// A store on the same Redis as the bus tells a device's node of a message in the script that stores it: who publishes
// saves a round trip, and the node hears of the first messages of a request while the last ones are stored. The
// script knows what the sender does not: Seq, Epoch and Fence, which follow each other in an envelope. So
// the sender writes what is before and what is behind them, and StoredLua joins them.

// StoredLua are functions for such scripts:
//
//	bus_notice(before, seq, epoch, fence, behind)   an envelope
//	bus_pack(list)                                  what is published: several envelopes to one node as one message
var StoredLua = strings.NewReplacer(
	"SEQ", luaByte(fieldSeq<<1), "EPOCH", luaByte(fieldEpoch<<1|1), "FENCE", luaByte(fieldFence<<1),
	"PACK", luaByte(version)+luaByte(needs)+luaByte(byte(kindPack))+luaByte(fieldPayload<<1|1),
).Replace(`
local function bus_uvarint(n)
  if n < 128 then return string.char(n) end
  local s = ''
  while n > 127 do
    s = s .. string.char(n % 128 + 128)
    n = math.floor(n / 128)
  end
  return s .. string.char(n)
end
local function bus_notice(before, seq, epoch, fence, behind)
  local s = before .. 'SEQ' .. bus_uvarint(seq) .. 'EPOCH' .. bus_uvarint(#epoch) .. epoch
  if fence > 0 then s = s .. 'FENCE' .. bus_uvarint(fence) end
  return s .. behind
end
local function bus_pack(list)
  if #list == 1 then return list[1] end
  local parts = {}
  for i, s in ipairs(list) do
    parts[2 * i - 1], parts[2 * i] = bus_uvarint(#s), s
  end
  local all = table.concat(parts)
  return 'PACK' .. bus_uvarint(#all) .. all
end
`)

// luaByte is a byte in a string of Lua, whose escapes are decimal.
func luaByte(b byte) string { return `\` + strconv.Itoa(int(b)) }

// AppendBefore appends what of an envelope is before Seq. Of e it has Kind, Origin, Hop, Class, Raw, ID, Part,
// Activation and Device; the names have at most MaxName bytes.
func (e *Envelope) AppendBefore(dst []byte) []byte {
	b := append(dst, version, needs, byte(e.Kind))
	b = appendBytes(b, fieldOrigin, e.Origin)
	b = appendNumber(b, fieldID, e.ID)
	b = appendNumber(b, fieldPart, uint64(e.Part))
	b = appendNumber(b, fieldActivation, e.Activation)
	b = appendNumber(b, fieldHop, uint64(e.Hop))
	b = appendNumber(b, fieldClass, uint64(e.Class))
	if e.Raw {
		b = appendNumber(b, fieldRaw, 1)
	}
	return appendBytes(b, fieldDevice, e.Device)
}

// AppendBehind appends what of an envelope is behind Fence.
func (e *Envelope) AppendBehind(dst []byte) []byte {
	b := appendNumber(dst, fieldTTL, uint64(e.TTL))
	b = appendNumber(b, fieldDeadline, uint64(e.Deadline))
	b = appendBytes(b, fieldTrace, e.Trace)
	b = appendBytes(b, fieldChannel, e.Channel)
	b = appendBytes(b, fieldMessageID, e.MessageID)
	b = appendNumber(b, fieldWait, uint64(e.Wait))
	b = appendNumber(b, fieldCode, uint64(e.Code))
	b = appendNumber(b, fieldTag, uint64(e.Tag))
	return appendBytes(b, fieldPayload, e.Payload)
}

// NodeChannels is what the channels of nodes begin with on a Redis that is not a Cluster, where the id of the node
// follows; prefix is RedisOptions.Prefix, not empty.
func NodeChannels(prefix string) string { return prefix + ":node:" }

// unpack calls f with each envelope of a message of bus_pack. It reports false where the bytes are none.
func unpack(m string, f func(string)) bool {
	var e Envelope
	if e.Decode([]byte(m)) != nil || len(e.Payload) == 0 {
		return false
	}
	for rest := m[len(m)-len(e.Payload):]; rest != ""; {
		size, n := uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return false
		}
		f(rest[n : n+int(size)])
		rest = rest[n+int(size):]
	}
	return true
}

// uvarint is binary.Uvarint of a string.
func uvarint(s string) (uint64, int) {
	var b [binary.MaxVarintLen64]byte
	return binary.Uvarint(b[:copy(b[:], s)])
}
