package ledger

import (
	"fmt"
	"sync"
	"time"
)

// Ledger is one account. Any number of goroutines may use it.
type Ledger struct {
	mu       sync.Mutex
	messages []message // by number
	devices  []device
	open     int // accepted and not handled
	waiting  int // without a final answer
	wrong    Wrong
	samples  []string // the first faults, in words
}

// mostMessages bounds the account: 64 bytes each.
const mostMessages = 4 << 20

// mostSamples is how many faults are kept in words.
const mostSamples = 20

type state uint8

const (
	waiting state = iota
	accepted
	refused
)

// message is one, by its number.
type message struct {
	due, done int64  // ns; done: first handled, 0 never
	told, got uint64 // number in the device's stream: by the answer, as handled
	device    int32
	state     state
	handled   uint8 // times, 255 at most
	tries     uint8 // requests without an answer, 255 at most
}

// device is what was handled by one.
type device struct {
	last uint64        // number in its stream
	told time.Duration // first, that its stream does not go on where it was; 0: never
}

// Wrong is what must not be. All are 0 after a run in which everything was kept.
type Wrong struct {
	Repeated   int `json:"repeated"`   // handled again, in spite of the device's own memory
	Stray      int `json:"stray"`      // handled although its publisher was told that it is refused
	Foreign    int `json:"foreign"`    // handled by another device, or never published
	Damaged    int `json:"damaged"`    // payload and id do not belong together
	Renumbered int `json:"renumbered"` // handled under another number than its publisher was told
	Backwards  int `json:"backwards"`  // numbers of a device went back: a new stream
}

// New returns an account of so many devices, which have the indexes from 0.
func New(devices int) *Ledger { return &Ledger{devices: make([]device, devices)} }

// Due opens a message to a device that is to be published at an instant, and
// returns its number. It panics above 4 million: a run is minutes long.
func (l *Ledger) Due(device int, at time.Duration) (number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.messages) == mostMessages {
		panic(fmt.Sprintf("BUG: ledger: more than %d messages", mostMessages))
	}
	l.messages = append(l.messages, message{device: int32(device), due: int64(at)})
	l.waiting++
	return len(l.messages) - 1
}

// Unanswered says that a request with the message got no answer, or one that says
// that nobody knows: it will be repeated under the same id.
func (l *Ledger) Unanswered(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := &l.messages[number]; m.tries < 255 {
		m.tries++
	}
}

// Accepted says that the cluster has taken the message over, as number seq of the
// device's stream.
func (l *Ledger) Accepted(number int, seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.messages[number]
	if m.state != waiting {
		panic(fmt.Sprintf("BUG: ledger: message %d has been answered", number))
	}
	m.state, m.told = accepted, seq
	l.waiting--
	if m.handled == 0 {
		l.open++
	} else {
		l.compare(number, m)
	}
}

// Refused says that the cluster has not taken it over and why: for good.
func (l *Ledger) Refused(number int, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.messages[number]
	if m.state != waiting {
		panic(fmt.Sprintf("BUG: ledger: message %d has been answered", number))
	}
	m.state = refused
	l.waiting--
	if m.handled > 0 {
		l.fault(&l.wrong.Stray, "message %d to device %d was refused (%s) and had been handled", number, m.device, why)
	}
}

// Handled says that a device has handled a message, as number seq of its stream.
func (l *Ledger) Handled(device, number int, seq uint64, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number < 0 || number >= len(l.messages) || int(l.messages[number].device) != device {
		l.fault(&l.wrong.Foreign, "device %d handled message %d, which was not for it", device, number)
		return
	}
	d, m := &l.devices[device], &l.messages[number]
	if seq <= d.last {
		l.fault(&l.wrong.Backwards, "device %d handled number %d (message %d) after %d", device, seq, number, d.last)
	}
	d.last = seq
	if m.handled < 255 {
		m.handled++
	}
	if m.handled > 1 {
		l.fault(&l.wrong.Repeated, "device %d handled message %d again, as number %d, before as %d", device, number, seq, m.got)
		return
	}
	m.done, m.got = max(int64(at), 1), seq
	switch m.state {
	case accepted:
		l.open--
		l.compare(number, m)
	case refused:
		l.fault(&l.wrong.Stray, "device %d handled message %d, which was refused", device, number)
	}
}

// NewStream says that a device was welcomed at an instant with the word that its stream does not go
// on: what it was sent before may be lost.
func (l *Ledger) NewStream(device int, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := &l.devices[device]; d.told == 0 {
		d.told = max(at, 1)
	}
}

// Damaged says that a device was given something whose id and payload do not
// belong together.
func (l *Ledger) Damaged(device int, id string, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault(&l.wrong.Damaged, "device %d was given id %.40q with payload %.80q", device, id, payload)
}

// compare holds the number that the publisher was told against the one that the
// device saw.
func (l *Ledger) compare(number int, m *message) {
	if m.told != m.got {
		l.fault(&l.wrong.Renumbered, "message %d to device %d was accepted as number %d and came as %d", number, m.device, m.told, m.got)
	}
}

func (l *Ledger) fault(count *int, format string, args ...any) {
	*count++
	if len(l.samples) < mostSamples {
		l.samples = append(l.samples, fmt.Sprintf(format, args...))
	}
}

// Open returns how many accepted messages nobody has handled yet, and how many
// have no final answer.
func (l *Ledger) Open() (unhandled, unanswered int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.waiting
}

// DueAt returns when a message was due.
func (l *Ledger) DueAt(number int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.messages[number].due)
}

// DeviceOf returns for which device a message is.
func (l *Ledger) DeviceOf(number int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.messages[number].device)
}
