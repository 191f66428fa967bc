package server

import (
	"roost/server/delivery"
	"roost/server/wire"
	"roost/server/ws"
)

// connKind is what a connection is being used for.
type connKind uint8

// A connection goes so. Each may also just end.
//
//	           in a cluster       its door has answered
//	Handshake ──────────────▶ Opening ──────────────▶ Device
//	Handshake ──────────────────────────────────────▶ Device    on a node by itself
//	Handshake ──────────────────────────────────────▶ Echo
//	all       ──────────────────────────────────────▶ Over      refused, closed, or answered in HTTP
const (
	kindHandshake connKind = iota // the request has not all come
	kindOpening                   // /v1/connect: a door asks the store (doors.go); nothing is read
	kindDevice                    // /v1/connect
	kindEcho                      // /v1/echo
	kindOver                      // a close frame or response was the last word
)

// connState is what the server knows about one connection, beside the reactor's
// 32 bytes: 36 bytes without pointers, in a slab indexed by slot.
type connState struct {
	peer   delivery.Peer // kindDevice: its kept messages
	since  uint32        // when it was accepted, ticks of clockTick
	last   uint32        // when input last came, ticks of clockTick
	parser uint32        // index + 1 in handler.parsers while a message is cut; in kindHandshake: bytes of the head looked at
	subs   uint32        // index + 1 in handler.subs while it has subscriptions
	hb     uint16        // heartbeat interval in s
	code   uint16        // close code that we sent, 0 for none
	kind   connKind
	// variant is the form of its frames: see variantOf.
	variant uint8
	flags   connFlags
	asking  uint8 // subscriptions and unsubscriptions that are being stored
}

// connFlags are what is true of a connection.
type connFlags uint8

const (
	flagPaused connFlags = 1 << iota // reading is paused until the output is out
	flagAlone                        // kindDevice: its session began while the store was away, or the store has lost its stream
	flagAstray                       // kindDevice: it was told where it belongs, or has tried, and may stay (again.go)
	flagAged                         // and has not gone since the last look at those
	flagLast                         // kindDevice: it came while the node was going down (drain.go)

	toldUnit connFlags = 1 << 5 // the upper three bits: how often it was told to go elsewhere, by rounds
)

const toldMost = 1<<3 - 1 // what they hold

func (st *connState) is(f connFlags) bool { return st.flags&f != 0 }

// told returns how often the connection was told to go elsewhere, by rounds, at most toldMost.
func (st *connState) told() int { return int(st.flags / toldUnit) }

// tell counts that.
func (st *connState) tell() {
	if st.told() < toldMost {
		st.flags += toldUnit
	}
}

func (st *connState) set(f connFlags, on bool) {
	if st.flags &^= f; on {
		st.flags |= f
	}
}

// Variants of a frame: 1 + 9 x format + (0 for plain, else window bits - 7).
const (
	deflateKinds = 9
	variants     = 1 + deflateKinds*int(wire.Formats)
)

// variantOf numbers a combination of format and compression.
func variantOf(f wire.Format, d ws.Deflate) uint8 {
	v := 1 + deflateKinds*uint8(f)
	if d.On() {
		v += uint8(d.Bits()) - 7
	}
	return v
}

// splitVariant is the inverse of variantOf; bits is 0 for plain.
func splitVariant(v uint8) (f wire.Format, bits int) {
	f = wire.Format((v - 1) / deflateKinds)
	if k := int(v-1) % deflateKinds; k > 0 {
		bits = k + 7
	}
	return f, bits
}
