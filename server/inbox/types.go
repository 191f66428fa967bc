package inbox

import (
	"errors"
	"time"
)

// Errors of stores, grouped by when they occur.
var (
	// ErrFull: the disk is full. Nothing of the commit was stored; a later one
	// may succeed.
	ErrFull = errors.New("inbox: the disk is full")
	// ErrFailed: the disk does not write, or the store is closed. Nothing of the
	// commit was stored.
	ErrFailed = errors.New("inbox: the store cannot write")
	// ErrTooLarge: the commit is larger than the log takes at once, 32 MiB. Nothing
	// of it was stored, and it never will be.
	ErrTooLarge = errors.New("inbox: the commit is too large")
	// ErrBusy: more commits wait than may. Nothing was stored.
	ErrBusy = errors.New("inbox: too many commits wait")

	// ErrDevices: the store knows as many devices as it may.
	ErrDevices = errors.New("inbox: as many devices are known as may be")
	// ErrUnknown: the device has never been seen, or was removed.
	ErrUnknown = errors.New("inbox: unknown device")
	// ErrSubscriptions: the device is subscribed to as many topics as it may be.
	ErrSubscriptions = errors.New("inbox: too many subscriptions")
	// ErrTopics: there are as many topics, or bytes of latest values, as may be.
	ErrTopics = errors.New("inbox: too many topics")
)

// MaxSubscriptions is how many topics a device may be subscribed to.
const MaxSubscriptions = 64

// MaxTTL is the longest time that a message is kept, and the default.
const MaxTTL = 24 * time.Hour

// Window is how long an idempotency key is remembered at most.
const Window = 10 * time.Minute

// Ref names a known device in 4 bytes, until the device is removed. The zero Ref
// names nobody.
type Ref uint32

// Limits bound what a store holds. A zero field means its default.
type Limits struct {
	Messages int   // in one device's inbox; default 1,000
	Bytes    int   // of one device's inbox; default 1 MiB
	Total    int64 // bytes of all messages; default 1 GiB
	Devices  int   // known; default 4,000,000
	Keys     int   // idempotency keys remembered; default 4,000,000
	Topics   int   // default 100,000
	Latest   int64 // bytes of latest values; default 64 MiB

	// KeepUnknown stores messages for devices that have never been seen; they are
	// known from then on. Otherwise their verdict is Unknown.
	KeepUnknown bool
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Messages, 1000)
	setDefault(&l.Bytes, 1<<20)
	setDefault(&l.Total, 1<<30)
	setDefault(&l.Devices, 4_000_000)
	setDefault(&l.Keys, 4_000_000)
	setDefault(&l.Topics, 100_000)
	setDefault(&l.Latest, 64<<20)
	return l
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Resume is what a device says about itself when it connects.
type Resume struct {
	Given bool
	Epoch []byte
	Seq   uint64
}

// Opened is what a device finds when it connects.
type Opened struct {
	Ref     Ref
	Fence   uint32 // number of this session: acknowledgements of earlier ones do not count
	Epoch   Epoch
	Last    uint64 // last number given to a stored message
	Acked   uint64 // last number acknowledged: delivery goes on behind it
	Resumed bool   // the device misses nothing that it could know of
	From    uint64 // Acked + 1 if the device is behind that, else 0
}

// Verdict is what a store made of a kept message.
type Verdict uint8

// The verdicts.
const (
	Pending   Verdict = iota // not looked at
	Stored                   // committed
	Duplicate                // the id is known: nothing was stored
	Unknown                  // no such device: nothing was stored
	Full                     // an inbox bound is reached: nothing was stored
	Limited                  // a table of the node is full: nothing was stored
)

// Put is one kept message for one device. Puts that follow each other in a commit
// and have the same Message share its body.
type Put struct {
	// Set by the publisher.
	Device  string
	Message *Message // TTL 1 s to MaxTTL

	// Set by the store.
	Verdict Verdict
	Ref     Ref
	Life    uint32 // which of the devices that have had the number it is
	Fence   uint32 // of its last session at that time
	Seq     uint64
	First   uint8  // Duplicate: what Remember was told about the first
	Tag     uint32 // for a Notice to other nodes; 0 in stores of one node. Where the commit fails: not 0 if this was stored
	Before  uint32 // for a Notice: tag of the message before it
	Look    bool   // whether it is behind what the device has is for the store to say: its lane has to Look
	Epoch   Epoch  // for a Notice: name of the stream; in stores of one node not set
	Owner   string // who has the device, in the words of presence; empty for nobody, or not known
	Told    int    // the store has told Owner's node itself: 1 + how many have taken the word; 0: it has not

	// Set by the publisher for Remember: what became of it, in its own code.
	Outcome uint8

	body    uint32
	sharers int // puts that are stored with this one's record; 0: with that of another
	record  int
	key     key
}

// Spread is one kept message for the devices of a topic or for all that are
// known: the body is stored once.
type Spread struct {
	// Set by the publisher.
	Topic   string // empty: all devices
	Message *Message
	Counted bool // somebody waits for what is acknowledged, at other nodes too

	// Set by the store.
	Verdict   Verdict // Stored, Duplicate, Limited or Full (the node's total)
	Receivers int     // devices that it was stored for
	Refused   int     // devices whose inbox is full
	Body      Body    // names the stored body

	receivers []Ref
	body      uint32
	record    int
	key       key
}

// Body names the body of a spread message for as long as somebody has it to get.
type Body struct {
	index  uint32
	serial uint32
}

// Latest sets the latest value of a topic, or removes it.
type Latest struct {
	Topic   string
	Message *Message // nil: remove
	Err     error    // ErrTopics, or ErrUnknown when there was none to remove

	topic    *topic // that is kept for it
	reserved int64  // bytes
	record   int
}

// Subscription puts a device into a topic or takes it out.
type Subscription struct {
	// Set by whoever asks: the device by its id, or the number of one and the fence
	// of a session of it. The number's next device is not meant then; a later
	// session of the same device is. Fence 0 means whoever has the number.
	Device string
	Ref    Ref // set by the store when Device is given
	Fence  uint32
	Topic  string
	On     bool

	// Set by the store.
	Err error // ErrUnknown, ErrSubscriptions, ErrTopics

	topic   *topic // that is kept for it
	nothing bool   // it is so already
}

// Removal forgets a device and what waits for it.
type Removal struct {
	Device string
	Err    error // ErrUnknown
	Ref    Ref   // the number that it had
}

// Op is a Put, Spread, Latest, Subscription or Removal.
type Op interface {
	// plan judges the operation, applies what undo can take back, and appends
	// its records.
	plan(x *index, w writer)
	// commit finishes it after the records are safe.
	commit(x *index, w writer)
	// undo takes back what plan applied; operations are undone in reverse order.
	undo(x *index)
	// alone operations get a batch of their own.
	alone() bool
}

// Commit is operations that are stored together: all of them or, when Err is
// set, none.
type Commit struct {
	Ops []Op
	// Done is called once, when the operations are safe or have failed, in the
	// order of the commits, on a goroutine of the store, or on the caller's before
	// Commit returns. It must not call Commit, and should be quick.
	Done func(c *Commit)
	// Some, which may be nil, is called before Done as often as the store likes, and likewise: the first n of Ops are
	// stored, or refused, one by one. They stay what they are if the others fail.
	Some func(c *Commit, n int)
	// Err is ErrFull, ErrFailed, ErrTooLarge or ErrBusy, wrapped, when nothing was
	// stored.
	Err error
}

// Item is a message that is due.
type Item struct {
	Seq     uint64
	Message Message // valid until the Fetch is used again
	loc     uint64
	body    uint32
}

// Fetch asks for messages of a device in order. It may be used again.
type Fetch struct {
	// Set by the caller.
	Ref   Ref
	Fence uint32 // of the session that asks
	From  uint64 // first number wanted
	Max   int    // at most so many messages
	Bytes int    // and, but for the first, so many bytes

	// Set by the store.
	Skip  uint64 // if not 0: all from From to here are done with (Why)
	Why   string // "ttl" or "gone"
	Items []Item // from Skip+1 or From on, without holes
	Last  uint64 // last number that is stored
	Gone  bool   // the device was removed, or has a later session
	Err   error  // the disk could not be read: try again later

	bufs [][]byte // of the messages
}

// Info describes a known device.
type Info struct {
	Ref      Ref
	Epoch    Epoch
	Last     uint64
	Acked    uint64
	Messages int // waiting
	Bytes    int
	Topics   []string // sorted
}

// TopicInfo describes a topic.
type TopicInfo struct {
	Topic       string
	Subscribers int
	Latest      bool
}

// Counts are totals of kept messages, one per receiver, since the store was
// opened. Published + Recovered = Acknowledged + Expired + Removed + Lost + InFlight.
type Counts struct {
	Published    uint64 // stored
	Recovered    uint64 // found at the start
	Acknowledged uint64
	Expired      uint64
	Removed      uint64 // with their device
	Lost         uint64 // could not be read from the disk any more, or are not in Redis any more, as far as is known
	InFlight     uint64 // stored and not yet one of those

	Bytes      int64 // of messages now
	Devices    int   // known now
	Keys       int   // idempotency keys now
	Duplicates uint64
	Refused    uint64 // an inbox or a table was full
	Limited    uint64 // of those: as many idempotency keys were remembered as may be
	Commits    uint64
	Failed     uint64 // commits that could not be stored
	Disk       int64  // bytes on disk now
	Damages    int    // places found damaged at the start
}

// Store keeps messages until they are acknowledged or expire. It may be used
// from any goroutine; only Commit and Fetch may take longer than a lookup.
//
// What it promises is the contract test's business (contract_test.go), which
// every store passes.
type Store interface {
	// Open begins a session of a device; one that is not known is from now on.
	// The errors are ErrDevices and ErrFailed.
	Open(id []byte, r Resume) (Opened, error)
	// Last returns the last number that is stored for the device, and the last
	// one acknowledged; zeros when fence is not that of its last session.
	Last(ref Ref, fence uint32) (last, acked uint64)
	// Ack takes all up to seq as delivered. It does nothing, and says so, when
	// fence is not that of the device's last session. seq must have been fetched
	// or stored.
	Ack(ref Ref, fence uint32, seq uint64) bool
	// Commit stores c and calls c.Done.
	Commit(c *Commit)
	// Remember notes the outcomes of c's puts for duplicates to come.
	Remember(c *Commit)
	// Fetch gets the next messages of a device; it may read a disk.
	Fetch(f *Fetch)
	// IsNext reports whether body is what the device gets as number seq.
	IsNext(ref Ref, fence uint32, seq uint64, body Body) bool
	// Current reports whether the session is the device's last one.
	Current(ref Ref, fence uint32) bool
	// Acked reports whether the device of p has acknowledged it.
	Acked(p *Put) bool
	// Waits reports whether the device still waits for body.
	Waits(ref Ref, fence uint32, body Body) bool
	// Remaining returns for how many devices the body still waits.
	Remaining(body Body) int

	// Find returns the number of a known device, else 0.
	Find(id []byte) Ref
	// AppendID appends the id of a device, nothing if it was removed.
	AppendID(dst []byte, ref Ref) []byte
	// Lookup describes a device; it reports false when it is not known.
	Lookup(id []byte) (Info, bool)
	// EachTopic calls f for the topics of a device.
	EachTopic(ref Ref, f func(topic string))
	// LatestOf returns the latest value of a topic.
	LatestOf(topic []byte) (Message, bool)
	// Devices returns the ids behind after, sorted, at most limit of them.
	Devices(after string, limit int) []string
	// Topics returns the topics behind after, sorted, at most limit of them.
	Topics(after string, limit int) []TopicInfo
	// Topic describes one topic; it reports false when there is none.
	Topic(name string) (TopicInfo, bool)

	// Tick does what is due: once a second or so, from one goroutine.
	Tick()
	// Counts returns the totals.
	Counts() Counts
	// Check walks through everything and returns what does not add up. Sums over all
	// devices are compared only when nothing changes while it walks.
	Check() []string
	// Close stores what was acknowledged and ends the store.
	Close() error
}
