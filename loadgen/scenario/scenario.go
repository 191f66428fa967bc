// Package scenario says what a run does: who connects where, what is published
// when, and what has to hold. It reads scenario files (YAML, strict), fills in
// every default, and writes the whole back as the text that a result carries.
// Values in, values out: it opens no file and reads no clock.
package scenario

import "time"

// Scenario is a run, resolved: every default is written out. Load, Parse and
// FromFlags return resolved ones only.
type Scenario struct {
	Name        string
	Description string
	Seed        uint64 // of everything that is random; the same seed is the same plan
	Target      Target
	Clients     Clients
	Groups      []Group // at least one; shares add up to 1
	Topics      Topics
	Reconnect   Reconnect
	Measure     Measure
	Phases      []Phase
	Thresholds  []string // threshold.Parse reads them
	Validity    Validity
	Server      Server
}

// Target is where clients connect and messages are published.
type Target struct {
	// URLs are ws://host:port/path, at least one; client i connects to URL
	// i mod len(URLs).
	URLs []string
	// APIs are base URLs for publishing over HTTP: none, or as many as URLs.
	// A message to all is published at each of them.
	APIs []string
	// Dialect names the protocol: roost, plain, centrifugo, socketio, mqtt.
	Dialect string
	// Format is json or bin, where the dialect has both (roost).
	Format string
}

// Clients are the connections.
type Clients struct {
	Count   int
	Prefix  string   // of names, where the dialect has names
	Sources []string // addresses, CIDR blocks, "all" (aliases of every interface) or "127/8"; empty: the kernel's choice, for loopback targets 127/8
	// PortRange is the ports that this run may use as source ports, "lo-hi",
	// "auto" for those of net.ipv4.ip_local_port_range, or "none" (or empty) for
	// the kernel's choice, which is also auto's on a kernel without
	// IP_LOCAL_PORT_RANGE, before Linux 6.3. With a range each worker gets a part
	// of it by that.
	PortRange string
	Window    int           // handshakes under way at once, all workers together
	Timeout   time.Duration // of dial, upgrade and greeting together
	RcvBuf    int           // SO_RCVBUF in bytes, 0: the kernel's
	// Spin keeps workers from ever sleeping, so that a server on the same machine
	// does not pay for waking them: as clients on another machine.
	Spin bool
}

// ReadMode is how a client reads.
type ReadMode string

// Ways to read.
const (
	ReadDrain ReadMode = "drain" // at once, everything
	ReadRate  ReadMode = "rate"  // so many bytes a second
	ReadNever ReadMode = "never" // not at all, once it is ready
)

// Read is how a client reads.
type Read struct {
	Mode ReadMode
	Rate float64 // bytes a second, of ReadRate
}

// Group is a part of the clients that are alike. Client i's group follows from
// i alone, spread evenly.
type Group struct {
	Name       string
	Share      float64 // of the clients, 0 to 1
	Read       Read
	AnswerPing bool // pongs and heartbeats; false is a ghost
	RcvBuf     int  // 0: that of Clients
}

// Topics are what clients subscribe to.
type Topics struct {
	Count     int     // 0: no topics
	PerClient int     // of each client, seeded
	Zipf      float64 // exponent of popularity among publishes and subscribers; 0: all alike
	Prefix    string
}

// Policy is when a client that has lost its connection dials again.
type Policy string

// Policies.
const (
	PolicyNone        Policy = "none"
	PolicyFixed       Policy = "fixed"       // Base
	PolicyExponential Policy = "exponential" // min(Cap, Base x 2^n)
	PolicyFullJitter  Policy = "full_jitter" // random in 0 to min(Cap, Base x 2^n)
	PolicyDialect     Policy = "dialect"     // as a good client of the dialect does; roost's slots and spread
)

// Reconnect is a policy with its times.
type Reconnect struct {
	Policy Policy
	Base   time.Duration
	Cap    time.Duration
	Resume bool // with what the dialect has to resume by
}

// Measure is how results are taken.
type Measure struct {
	Interval     time.Duration // of the series; 1 s
	Deadline     time.Duration // a message that has not come so long after it was due is a miss
	KernelStamps float64       // share of the clients whose reads carry the kernel's time of arrival
}

// ArrivalKind is how due times are spread.
type ArrivalKind string

// Kinds of arrivals.
const (
	Constant ArrivalKind = "constant" // Rate
	Linear   ArrivalKind = "linear"   // from Rate to To over the phase
	Step     ArrivalKind = "step"     // Steps, each for an equal part of the phase
	Poisson  ArrivalKind = "poisson"  // exponential gaps of mean 1/Rate
	Spike    ArrivalKind = "spike"    // Rate, but To from At for For
	Replay   ArrivalKind = "replay"   // Times, repeated if Loop
	AtOnce   ArrivalKind = "at_once"  // everything at the begin
)

// Arrival plans due times.
type Arrival struct {
	Kind  ArrivalKind
	Rate  float64 // a second
	To    float64
	Steps []float64 // rates
	At    time.Duration
	For   time.Duration
	File  string          // of Replay: as written
	Times []time.Duration // of Replay: what was in it, ascending
	Loop  bool
	Burst int // how many share a due time; 1
}

// Phase is a stretch of time in which some things happen at once. It ends after
// For, or when Until has come true, and fails after Timeout. Of Ramp, Storm and
// Drain it has at most one.
type Phase struct {
	Name    string
	Warmup  bool // recorded, and left out of thresholds without a phase, comparisons and summaries
	For     time.Duration
	Until   Until
	Timeout time.Duration

	Ramp     *Ramp
	Publish  []Publish
	Churn    *Churn
	Storm    *Storm
	Slow     *Slow
	HalfOpen *HalfOpen
	Drain    *Drain
}

// UntilKind is a condition that ends a phase.
type UntilKind string

// Conditions.
const (
	UntilTime      UntilKind = ""          // after For
	UntilConnected UntilKind = "connected" // Share of the ramp's goal is ready
	UntilRestored  UntilKind = "restored"  // Share of those that a storm cut is ready again
	UntilDrained   UntilKind = "drained"   // Share of those that are to go is gone
)

// Until is a condition that ends a phase.
type Until struct {
	Kind  UntilKind
	Share float64 // 0 to 1
}

// Ramp brings the number of connections up.
type Ramp struct {
	To      int // clients
	Arrival Arrival
}

// Audience is whom a publish goes to.
type Audience string

// Audiences.
const (
	ToAll    Audience = "all"
	ToTopic  Audience = "topic"  // one of Topics each time, by popularity
	ToDevice Audience = "device" // one client each time, all in turn in a seeded order
	ToNode   Audience = "node"   // all clients of one URL each time, the URLs in turn: message n is published at API n mod len(APIs)
	ToSelf   Audience = "self"   // echo: a client sends and gets it back, all in turn
)

// Publish is a stream of messages.
type Publish struct {
	To      Audience
	Class   string // roost: live, kept or latest
	Arrival Arrival
	Size    Size
	TTL     time.Duration // kept
	Among   int           // ToDevice: only so many clients are ever addressed; 0: all
	// Batch is how many messages go in one request to the API, 1 to MaxBatch. They
	// share a due time: Arrival.Burst is a multiple of it.
	Batch int
	// Wait is how long the API is asked to wait for the acknowledgements of kept
	// messages before it answers, whole milliseconds; 0: it does not.
	Wait time.Duration
	// Retry makes a request of kept messages again, under the same ids, that had no
	// answer, or 503, until it has one or the phase is over.
	Retry bool
	// InFlight is how many requests of this publish a worker may have under way;
	// 0: as many as its connections to the API. With 1, and one worker, messages
	// of a stream are published one after the other, so that a server that
	// delivers them in another order is at fault.
	InFlight int
}

// Size is the size of payloads in bytes: fixed if Max is 0, else log-normal by
// its median and 99th percentile, cut to 64..Max.
type Size struct {
	P50, P99, Max int
}

// Close is how a connection is ended.
type Close string

// Ways to end a connection.
const (
	CloseFrame  Close = "close"  // close frame, then FIN: in order
	CloseFIN    Close = "fin"    // FIN alone
	CloseRST    Close = "rst"    // reset
	CloseServer Close = "server" // the server ends it: asked to by the dialect, or by Server's hooks
)

// Churn ends connections and dials new ones, at a rate.
type Churn struct {
	Arrival Arrival
	How     Close
}

// Storm ends many connections at once and watches them come back.
type Storm struct {
	Share float64 // of the connected
	How   Close
	Over  time.Duration // spread evenly over; 0: at once
	Hook  string        // with CloseServer: "kill" or "restart", from Server
}

// Slow turns a share of the clients into slow readers for the phase.
type Slow struct {
	Group string  // of this group alone; empty: of all
	Share float64 // of the group
	Read  Read
}

// HalfOpen makes a share of the clients fall silent for the phase without a
// FIN: they neither read nor answer.
type HalfOpen struct {
	Group string  // of this group alone; empty: of all
	Share float64 // of the group
}

// Drain ends connections.
type Drain struct {
	To   int // clients that stay
	How  Close
	Over time.Duration
}

// Validity holds the limits of a valid run. A limit of 0 is switched off;
// DefaultValidity has the others.
type Validity struct {
	MinRate       float64       // achieved over planned
	SendLag       time.Duration // p99
	Hiccup        time.Duration // p99.9
	RxLagShare    float64       // p99 of kernel-rx to user over the measured p99
	CPU           float64       // share of a core per worker
	RunDelay      float64       // share of time that runnable threads waited
	PSI           float64       // cpu some avg10, in %
	GCPause       time.Duration // p99, also scheduling latency
	CeilingFactor float64       // null-sink ceiling over plan
}

// Server is what is known about the server's process.
type Server struct {
	PIDs    []int    // probed
	Cgroups []string // v2 directories, probed
	Metrics []string // Prometheus URLs, probed
	Pprof   []string // base URLs with /debug/pprof
	Kill    string   // shell command of storms with hook kill
	Restart string   // shell command of storms with hook restart
}
