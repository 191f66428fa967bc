package loadgen

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"roost/loadgen/plan"
	"roost/poller"
)

// Modes of a run.
const (
	ModeIdle      = "idle"
	ModeEcho      = "echo"
	ModeBroadcast = "broadcast"
	ModeKept      = "kept"
	ModeListen    = "listen"
)

// Options says what to do. The zero value of a field means its default, unless
// it says otherwise.
type Options struct {
	Mode string // required

	// URL is where to connect, ws://host:port/path. Default: roost's on
	// 127.0.0.1:8080.
	URL string
	// API is the base URL of roost's API, to publish and to collect garbage.
	// Default: http://127.0.0.1:8081; not used if Control is set.
	API string
	// Control is the base URL of a peer's control port (bench/peers/README.md).
	Control string
	// Peer means a server that is not roost: no devices, no subprotocol, no
	// heartbeats. Set by Control.
	Peer bool

	// Connections is how many to open. Default 1,000.
	Connections int
	// Steps are the connection counts at which idle mode measures memory.
	// Default: Connections.
	Steps []int
	// Sources are the addresses to connect from, as a CIDR block. Default:
	// 127.0.0.0/8 for loopback, else what the kernel chooses.
	Sources string
	// Window is how many handshakes are under way at once. Default 256.
	Window int
	// ConnectRate is how many dials are made a second; 0 is as fast as the
	// window lets.
	ConnectRate float64
	// Timeout is how long a handshake may take. Default 10 s.
	Timeout time.Duration
	// Partial goes on when not all connections could be made.
	Partial bool

	// Device is the prefix of device ids, or the id in listen mode. Default
	// "lg-".
	Device string
	// Protocol is json or bin, the subprotocol spoken with roost. Default json.
	Protocol string
	// Topic is what listen mode subscribes to; empty for nothing.
	Topic string

	// Hold is how long load is applied. Default 10 s.
	Hold time.Duration
	// Warmup is how long echo and kept run before they are measured. Default 1 s;
	// negative for none. Broadcasts are warmed up by warmRounds rounds.
	Warmup time.Duration
	// Settle is the pause between collecting the server's garbage and reading
	// its memory. Default 6 s; negative for none.
	Settle time.Duration

	// Rate is messages (echo, kept; with All broadcasts) or due times (broadcast)
	// a second; 0 is a closed loop: the next when the last is through.
	Rate float64
	// Size is the payload of a WebSocket frame, in bytes; in kept mode that of a
	// published message. Default 128.
	Size int
	// Inflight is how many echo messages one connection may have under way.
	// Default 1 in a closed loop, 64 in an open one.
	Inflight int
	// Burst is how many broadcasts are published at once each due time. Default 1.
	Burst int
	// Publishers is how many connections kept messages are published over, each
	// with one request under way and with devices of its own. Default 4.
	Publishers int
	// Batch is how many kept messages go in one request. Default 1.
	Batch int
	// All publishes kept broadcasts, by one publisher, which waits for the
	// acknowledgements of all before the next.
	All bool
	// Slow is the fraction of connections that never read.
	Slow float64
	// Patience is how long to wait for messages that are missing. Default 10 s.
	Patience time.Duration

	// Loops is the number of event loops. Default 1: on a machine that also
	// runs the server a second one would only take its place.
	Loops int
	// Spin keeps the loops from sleeping, so that the server never pays for
	// waking them, as with a client on another machine.
	Spin bool
	// PID is the server's process, to measure its memory and CPU; 0 not to.
	PID int

	// Command is recorded in the result.
	Command []string
}

// defaultURLs is where roost serves each mode.
var defaultURLs = map[string]string{
	ModeIdle:      "ws://127.0.0.1:8080/v1/connect",
	ModeEcho:      "ws://127.0.0.1:8080/v1/echo",
	ModeBroadcast: "ws://127.0.0.1:8080/v1/connect",
	ModeKept:      "ws://127.0.0.1:8080/v1/connect",
	ModeListen:    "ws://127.0.0.1:8080/v1/connect",
}

// maxBurst keeps broadcasts that overtake each other within plan.WindowSize.
const maxBurst = plan.WindowSize / 2

// withDefaults fills in defaults and refuses what cannot work.
func (o Options) withDefaults() (Options, error) {
	if defaultURLs[o.Mode] == "" {
		return o, fmt.Errorf("mode is %q: want idle, echo, broadcast, kept or listen", o.Mode)
	}
	o.Peer = o.Peer || o.Control != ""
	setDefault(&o.URL, defaultURLs[o.Mode])
	setDefault(&o.API, "http://127.0.0.1:8081")
	setDefault(&o.Connections, 1000)
	if o.Mode == ModeListen {
		o.Connections = 1
	}
	if len(o.Steps) > 0 {
		slices.Sort(o.Steps)
		o.Connections = o.Steps[len(o.Steps)-1]
	}
	setDefault(&o.Window, 256)
	setDefault(&o.Timeout, 10*time.Second)
	setDefault(&o.Protocol, "json")
	setDefault(&o.Hold, 10*time.Second)
	setDefault(&o.Warmup, time.Second)
	setDefault(&o.Settle, 6*time.Second)
	setDefault(&o.Size, 128)
	setDefault(&o.Inflight, 1)
	if o.Inflight == 1 && o.Rate > 0 {
		o.Inflight = 64
	}
	setDefault(&o.Burst, 1)
	setDefault(&o.Publishers, 4)
	setDefault(&o.Batch, 1)
	if o.All {
		o.Publishers = 1
	}
	o.Publishers = min(o.Publishers, o.Connections)
	setDefault(&o.Patience, 10*time.Second)
	setDefault(&o.Loops, 1)
	if o.Device == "" && o.Mode != ModeListen {
		o.Device = "lg-"
	}
	o.Warmup, o.Settle = max(o.Warmup, 0), max(o.Settle, 0)
	return o, o.check()
}

// check refuses what cannot work.
func (o *Options) check() error {
	for _, c := range []struct {
		bad  bool
		text string
	}{
		{o.Connections < 1, fmt.Sprintf("connections is %d: want 1 or more", o.Connections)},
		{len(o.Steps) > 0 && o.Steps[0] < 1, fmt.Sprintf("steps are %v: want 1 or more each", o.Steps)},
		{o.Window < 1, fmt.Sprintf("window is %d: want 1 or more", o.Window)},
		{o.ConnectRate < 0, fmt.Sprintf("connect-rate is %v: want 0 (no limit) or more", o.ConnectRate)},
		{o.Timeout < 0 || o.Hold < 0 || o.Patience < 0, fmt.Sprintf("timeout, hold or patience is negative: %v, %v, %v", o.Timeout, o.Hold, o.Patience)},
		{o.Protocol != "json" && o.Protocol != "bin", fmt.Sprintf("protocol is %q: want json or bin", o.Protocol)},
		{o.Rate < 0, fmt.Sprintf("rate is %v: want 0 (closed loop) or more", o.Rate)},
		{o.Size < 1 || o.Size > 16<<20, fmt.Sprintf("size is %d: want 1 to 16777216", o.Size)},
		{o.Mode == ModeEcho && o.Size < stampSize, fmt.Sprintf("size is %d: echo messages carry a number of %d bytes", o.Size, stampSize)},
		{o.Inflight < 1 || o.Inflight > 1024, fmt.Sprintf("inflight is %d: want 1 to 1024", o.Inflight)},
		{o.Burst < 1 || o.Burst > maxBurst, fmt.Sprintf("burst is %d: want 1 to %d", o.Burst, maxBurst)},
		{o.Publishers < 1 || o.Publishers > maxPublishers, fmt.Sprintf("publishers is %d: want 1 to %d", o.Publishers, maxPublishers)},
		{o.Batch < 1 || o.Batch > maxBatch, fmt.Sprintf("batch is %d: want 1 to %d, what one request may have", o.Batch, maxBatch)},
		{o.All && o.Batch > 1, "all and batch do not go together"},
		{o.Mode == ModeKept && o.Size < leastKept, fmt.Sprintf("size is %d: kept messages carry a number, and have %d bytes at least", o.Size, leastKept)},
		{o.Mode == ModeKept && (o.Peer || o.Slow > 0), "kept messages need a roost, and devices that read"},
		{o.Mode == ModeListen && o.Peer, "listen mode needs a roost"},
		{o.Slow < 0 || o.Slow >= 1, fmt.Sprintf("slow is %v: want a fraction from 0 to below 1", o.Slow)},
		{o.Loops < 1 || o.Loops > poller.MaxLoops, fmt.Sprintf("loops is %d: want 1 to %d", o.Loops, poller.MaxLoops)},
	} {
		if c.bad {
			return fmt.Errorf("%s", c.text)
		}
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// checkFiles compares the connections with what this process may open.
func (o *Options) checkFiles() (limit int, err error) {
	if limit, err = poller.FileLimit(); err != nil {
		return 0, err
	}
	const others = 64 // standard streams, runtime, HTTP
	if room := limit - others - o.Loops*poller.LoopDescriptors; o.Connections > room {
		return limit, fmt.Errorf("%d connections need more descriptors than RLIMIT_NOFILE allows (%d, room for %d connections): "+
			"raise it (ulimit -n), or start several generators with --sources and --device of their own", o.Connections, limit, room)
	}
	return limit, nil
}

// target is where to connect.
type target struct {
	addr  netip.AddrPort
	host  string // as in the URL
	path  string // with query
	sep   byte   // what comes between the path and more of its query
	names string // the device that the query names; empty: none
}

// resolveTarget reads the URL and looks its host up.
func (o *Options) resolveTarget(ctx context.Context) (t target, err error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "ws" || u.Host == "" {
		return t, fmt.Errorf("url %q: want ws://host:port/path", o.URL)
	}
	port := u.Port()
	setDefault(&port, "80")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return t, fmt.Errorf("url %q: bad port", o.URL)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return t, fmt.Errorf("url %q: %w", o.URL, err)
	}
	t = target{addr: netip.AddrPortFrom(addrs[0].Unmap(), uint16(n)), host: u.Host,
		path: u.RequestURI(), sep: '?', names: u.Query().Get("device")}
	if u.RawQuery != "" {
		t.sep = '&'
	}
	if t.names != "" && o.Mode != ModeListen && !o.Peer {
		return t, fmt.Errorf("url %q names one device, which only listen mode is: give a prefix by --device", o.URL)
	}
	if o.Sources == "" && t.addr.Addr().IsLoopback() && t.addr.Addr().Is4() {
		o.Sources = "127.0.0.0/8"
	}
	return t, nil
}

// ParseSteps reads counts separated by commas.
func ParseSteps(s string) (steps []int, err error) {
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("steps %q: want counts separated by commas", s)
		}
		steps = append(steps, n)
	}
	return steps, nil
}
