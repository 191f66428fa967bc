package wire

// Format is the form of the messages of one connection, agreed as the WebSocket
// subprotocol.
type Format uint8

const (
	// JSON is subprotocol roost.v1.json: text messages.
	JSON Format = iota
	// Binary is subprotocol roost.v1.bin: binary messages.
	Binary
	// Formats is the number of formats.
	Formats
)

// Names of the subprotocols, by Format.
var names = [Formats]string{"roost.v1.json", "roost.v1.bin"}

// String returns the name of the subprotocol.
func (f Format) String() string {
	if f < Formats {
		return names[f]
	}
	return "unknown"
}

// ParseFormat returns the Format of a subprotocol's name.
func ParseFormat[T string | []byte](name T) (Format, bool) {
	for f, n := range names {
		if string(name) == n {
			return Format(f), true
		}
	}
	return 0, false
}

// Op is the kind of a message. Its value is the low five bits of the first byte
// in the binary form.
type Op uint8

// The operations. S: sent by the server, D: by the device.
const (
	OpHeartbeat   Op = 0  // S D
	OpWelcome     Op = 1  // S
	OpMessage     Op = 2  // S
	OpAck         Op = 3  // D
	OpSubscribe   Op = 4  // D
	OpUnsubscribe Op = 5  // D
	OpResult      Op = 6  // S
	OpUp          Op = 7  // D
	OpError       Op = 8  // S
	OpAuth        Op = 9  // D
	OpSkip        Op = 10 // S
	OpAway        Op = 11 // S
	ops              = 12 // number of operations
	opMask           = 31 // in the first byte
)

// opNames are the values of "t" in the JSON form, by Op.
var opNames = [ops]string{"hb", "welcome", "msg", "ack", "sub", "unsub", "res", "up", "err", "auth", "skip", "away"}

// String returns the operation's name in the JSON form.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "unknown"
}

// Flags of a binary OpMessage's first byte.
const (
	flagChannel = 0x20 // channel: uvarint length and bytes
	flagID      = 0x40 // id: uvarint length and bytes
	flagKept    = 0x80 // uvarint seq and uvarint ttl in seconds
)

// Flags of other binary messages' first byte.
const (
	flagSeq  = 0x20 // OpHeartbeat of a device: uvarint seq follows
	flagRing = 0x20 // OpHeartbeat of a node: at the end uvarint ring, rest: rh
	flagWide = 0x40 // OpHeartbeat of a node: behind spread uvarint wide
	flagOK   = 0x20 // OpResult: it was done
)

// MaxChannel is the longest name of a channel in bytes.
const MaxChannel = 128

// ValidChannel reports whether ch can name a channel: 1 to MaxChannel printable
// ASCII characters without spaces.
func ValidChannel[T string | []byte](ch T) bool {
	if len(ch) == 0 || len(ch) > MaxChannel {
		return false
	}
	for i := range len(ch) {
		if ch[i] <= ' ' || ch[i] > '~' {
			return false
		}
	}
	return true
}

// MaxSeq is the largest number of a message that both forms carry exactly to
// every client: 2^53-1, the last integer that JavaScript counts to.
const MaxSeq = 1<<53 - 1

// maxInt bounds the numbers that a Down holds as int: milliseconds, bytes,
// messages.
const maxInt = 1<<31 - 1

// Welcome is the server's first message.
type Welcome struct {
	SID       []byte // session: give it back when you come again
	Epoch     string // of the device's stream
	Seq       uint64 // the last number given in the stream
	Acked     uint64 // the last number acknowledged: Acked + 1 follows
	From      uint64 // what the device missed ends before this number; 0 is left out
	Resumed   bool   // the device goes on where it was
	Heartbeat int    // ms between heartbeats of the device
	Spread    int    // ms over which to come back after a cut
	Wide      int    // ms over which to dial again where nobody took a dial; 0 is left out
	Node      string // name of this node
	Max       int    // largest message of the device, bytes
	Win       int    // kept messages that may be under way unacknowledged
	Ring      Ring   // by which the node has judged where the device belongs; zero is left out
	Back      Back   // backoff of reconnects
}

// Ring is which ring answers for a device: keys "ring" and "rh". The zero Ring is none:
// a node by itself.
type Ring struct {
	Version uint64
	Hash    uint64 // of its content; 16 hexadecimal digits
}

// Back bounds the backoff with full jitter, in ms.
type Back struct {
	Base int
	Max  int
}

// Message is a message to a device.
type Message struct {
	Seq     uint64 // of a kept message; 0 for a live one
	TTL     uint64 // seconds; kept messages only
	ID      []byte // idempotency key; empty for none
	Channel []byte // empty for none
	Payload []byte // JSON, or bytes if Raw
	Raw     bool   // Payload is not JSON: the JSON form carries it as "p64", base64
}

// Up is what a device says.
type Up struct {
	Op      Op
	Seq     uint64 // OpHeartbeat, OpAck: all up to here has arrived
	HasSeq  bool
	Request uint64 // number that the OpResult repeats
	Channel []byte
	Payload []byte // OpUp: JSON, or bytes in the binary form
	Token   []byte // OpAuth: the credential
}

// Codes of errors, for programs.
const (
	CodeMalformed   = "malformed"   // not a message
	CodeUnknown     = "unknown"     // a type that is not served
	CodeChannel     = "channel"     // the name of a channel is not valid
	CodeLimit       = "limit"       // more than a device may have
	CodeUnavailable = "unavailable" // could not be stored now: try again
	CodeAuth        = "auth"        // the token is not taken
)

// Error is a message that cannot be understood or a request that cannot be
// done: it is answered, and the connection goes on.
type Error struct {
	Code string // one of the codes above
	Text string // for people: what was wrong, and where
}

// Error returns Text.
func (e *Error) Error() string { return e.Text }
