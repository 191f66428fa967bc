package presence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors of stores and of the Keeper.
var (
	// ErrDown: the store does not answer, or did not in time. What was asked may
	// have been done.
	ErrDown = errors.New("presence: the store does not answer")
	// ErrDecode: what is stored is not a record of presence.
	ErrDecode = errors.New("presence: not a record of presence")
	// ErrOwner: a node's name cannot be part of a key.
	ErrOwner = errors.New("presence: a node is 1 to 64 printable ASCII characters without spaces and braces, and its incarnation not 0")
	// ErrDevice: a device id is empty, longer than 128 bytes, or not printable
	// ASCII without spaces.
	ErrDevice = errors.New("presence: a device id is 1 to 128 printable ASCII characters without spaces")
)

// Status is what is said of a device.
type Status uint8

// The statuses.
const (
	Offline Status = iota // not connected, as far as is known
	Suspect               // connected to a node that shows no sign of life
	Online                // connected
)

var statusNames = [...]string{"offline", "suspect", "online"}

func (s Status) String() string { return name(statusNames[:], int(s)) }

// Hold is who has a device, by what is stored.
type Hold uint8

// The holds. How they follow each other:
//
//	          Claim              Release
//	Nobody ----------> Held ------------------> Left
//	                   | ^  <------------------  |
//	             sweep | | Assert      Claim     |
//	                   v |                       |
//	                   Lost ---- Release ------> +
//
// Left is final for its fence: a refresh that comes late does not bring back a
// device whose node has said that it is gone. Lost is not: a node that was
// taken for dead and still has the device asserts it again.
const (
	Nobody Hold = iota // nothing is stored
	Held               // a node has it
	Left               // the node that had it says that it is gone
	Lost               // the node that had it is gone, and the device has not come back in time
)

var holdNames = [...]string{"nobody", "held", "left", "lost"}

func (h Hold) String() string { return name(holdNames[:], int(h)) }

// Reason says why a device is not connected: a WebSocket close code (1000 and
// up), or one of the following.
type Reason uint16

// The reasons that are no close codes.
const (
	NoReason Reason = iota // it is connected, or nobody said
	Hangup                 // the connection ended without a close frame
	NodeLost               // its node died, and it did not come back in the grace
	Shutdown               // its node was stopped
)

var reasonNames = [...]string{"", "hangup", "node_lost", "shutdown"}

func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return strconv.Itoa(int(r))
}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return strconv.Itoa(i)
}

// Owner is one start of one node.
type Owner struct {
	Node string
	// Incarnation tells the starts of a node apart. It stays the same as long as
	// the process lives, whatever becomes of its registration.
	Incarnation uint64
}

// String returns node:incarnation, as it stands in keys and records.
func (o Owner) String() string { return o.Node + ":" + strconv.FormatUint(o.Incarnation, 10) }

// IsZero reports that nobody is meant.
func (o Owner) IsZero() bool { return o == Owner{} }

// Check returns ErrOwner, with the name, if o cannot be part of a key.
func (o Owner) Check() error {
	if !printable(o.Node, 64) || strings.ContainsAny(o.Node, "{}") || o.Incarnation == 0 {
		return fmt.Errorf("%w: %q", ErrOwner, clip(o.String()))
	}
	return nil
}

// ParseOwner is the inverse of String.
func ParseOwner(s string) (Owner, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return Owner{}, fmt.Errorf("%w: %q has no incarnation", ErrOwner, clip(s))
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil {
		return Owner{}, fmt.Errorf("%w: incarnation of %q", ErrOwner, clip(s))
	}
	o := Owner{Node: s[:i], Incarnation: n}
	if err := o.Check(); err != nil {
		return Owner{}, err
	}
	if o.String() != s {
		return Owner{}, fmt.Errorf("%w: incarnation of %q", ErrOwner, clip(s))
	}
	return o, nil
}

// ValidDevice reports whether id can name a device.
func ValidDevice(id string) bool { return printable(id, 128) }

func printable(s string, most int) bool {
	if len(s) == 0 || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// clip shortens what goes into an error.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// MaxFence is the highest fence that a store gives: a device that connects once
// a second gets there in 68 years. A node's provisional fences may be above.
const MaxFence = 1 << 31

// Record is what is stored about a device. Times are Unix milliseconds of the
// clock of the node that wrote them. The zero Record means that the device has
// never been seen, or not for as long as the store keeps records.
type Record struct {
	Hold      Hold
	Owner     Owner  // who has it or had it last
	Fence     uint32 // number of its session, +1 at each connect of the device
	SID       uint64 // the session's id, as in welcome
	Since     int64  // Held: when it connected; else when it went
	Connected int64  // when its session began
	Inbound   int64  // when something was last heard of it; as old as the refresh interval
	Reason    Reason // Left, Lost: why
}

// Claim is what a store answers to a claim.
type Claim struct {
	Fence    uint32
	Previous Record
}

// Outcome is what a store made of an operation on one device.
type Outcome uint8

// The outcomes.
const (
	Failed  Outcome = iota // no answer: it may have been done
	Applied                // done
	Refused                // somebody else is current, or the session has ended
	Absent                 // the store does not know the session: assert it
)

var outcomeNames = [...]string{"failed", "applied", "refused", "absent"}

func (o Outcome) String() string { return name(outcomeNames[:], int(o)) }

// Release says that a session is over.
type Release struct {
	Device      string
	Fence       uint32
	Provisional bool  // the fence is not the store's: any session is meant that the node began up to Connected
	Connected   int64 // when the session began
	At          int64
	Reason      Reason
}

// Released is the result of a Release.
type Released struct {
	Outcome Outcome // Applied or Refused
	WasHeld bool    // Applied: the device was Held until now, not Lost
}

// Refresh says that a session goes on.
type Refresh struct {
	Device  string
	Fence   uint32
	Inbound int64
}

// Refreshed is the result of a Refresh.
type Refreshed struct {
	Outcome Outcome
	Current Record // Refused: who is current
}

// Assertion says that a node has a device, whatever the store knows of it.
type Assertion struct {
	Device      string
	SID         uint64
	Connected   int64
	Inbound     int64
	Fence       uint32
	Provisional bool // the fence was given by the node itself, while the store was down
}

// Asserted is the result of an Assertion.
type Asserted struct {
	Outcome  Outcome // Applied or Refused
	Fence    uint32  // Applied: the session's fence from now on
	Previous Record  // what was stored before
}

// Swept is what a sweep found of a device of a dead node.
type Swept uint8

// What a sweep finds.
const (
	SweepFailed Swept = iota // no answer
	SweepLost                // it was Held by the dead node and is Lost now
	SweepBefore              // it was Lost already: an earlier sweep was cut short
	SweepBack                // another node has it, or has had it since
	SweepStale               // it had left before its node died
)

// Tally is what the sweeps of a dead node found in all.
type Tally struct {
	Back  int // came back in time
	Lost  int // did not
	Stale int // had left before
}
