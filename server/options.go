package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"time"

	"roost/poller"
	"roost/server/admission"
	"roost/server/inbox"
)

// Limits of the protocol; design.md's "on by default".
const (
	// maxInbound is the largest message from a device, in bytes.
	maxInbound = 64 << 10
	// maxEcho is the largest message that /v1/echo takes.
	maxEcho          = 16 << 20
	minHeartbeat     = 30 // s
	maxHeartbeat     = 300
	defaultHeartbeat = 55 // below the 60 s of common idle proxies
)

// timing is how long things may take; tests shorten it.
type timing struct {
	upgrade   time.Duration // to finish the upgrade
	echo      time.Duration // silence of an echo connection
	message   time.Duration // to finish a message that was begun
	write     time.Duration // a socket that takes nothing while output waits
	heartbeat time.Duration // one second of a heartbeat interval
	tick      time.Duration // of the store and the lanes, and of who should be elsewhere
	cut       time.Duration // without the store until devices are sent to nodes that have it
	again     time.Duration // from when a device was told where it belongs until it is looked whether it has gone
	late      time.Duration // from a device's slot until it is closed, where it has to go
	without   time.Duration // for a ring without a node that is emptied
}

var defaultTiming = timing{upgrade: 8 * time.Second, echo: 10 * time.Minute, message: 30 * time.Second, write: 10 * time.Second, heartbeat: time.Second, tick: time.Second, cut: shedAfter, again: againFirst, late: lateAfter, without: withoutWithin}

// Options configures a Server. The zero value of a field means its default,
// unless it says otherwise.
type Options struct {
	// Listen is the address for devices, host:port. Required.
	Listen string
	// API is the address for publishers, metrics and pprof. Required.
	API string
	// Auth is how devices and publishers prove who they are. "none" is the only
	// kind there is: development, on loopback addresses.
	Auth string
	// Node is the name of this node. Default: the host's name and the port.
	Node string

	// Proxy says whether proxies in front of the device listener name their clients.
	Proxy Proxy

	// Echo serves /v1/echo.
	Echo bool
	// Deflate agrees to permessage-deflate where a client offers it.
	Deflate bool

	// Connects bounds who connects, and how often. The zero value is no limit: roostd's flags
	// begin with admission.Usual.
	Connects admission.Limits

	// Loops is the number of event loops. Default: the number of usable cores.
	Loops int
	// IOUring chooses how broadcasts are sent.
	IOUring poller.IOUringMode
	// MaxConnections caps the devices. Default: what descriptors and memory
	// allow; a larger value is cut down to that.
	MaxConnections int
	// DrainOver is the time over which Drain closes all connections. Default:
	// 1 s for each 1,000, at most 30 s.
	DrainOver time.Duration

	// Inbox keeps messages until they are acknowledged; the server closes it.
	// Default: an inbox.Memory, which forgets when the process ends.
	Inbox inbox.Store

	// Cluster makes the node one of many; then Inbox is not set. nil: a node by itself.
	Cluster *Cluster

	// Log gets what happens. Default: slog.Default().
	Log *slog.Logger

	timing timing               // zero: defaultTiming
	clock  func() time.Duration // of entrance; nil: since the start
}

// withDefaults fills in defaults and refuses what cannot work.
func (o Options) withDefaults() (Options, error) {
	if o.Auth == "" {
		o.Auth = "none"
	}
	if o.Auth != "none" {
		return o, fmt.Errorf("auth %q is unknown: the only kind is none", o.Auth)
	}
	for flag, addr := range map[string]string{"listen": o.Listen, "api": o.API} {
		if err := checkLoopback(flag, addr); err != nil {
			return o, err
		}
	}
	if o.Loops == 0 {
		o.Loops = runtime.NumCPU()
	}
	if o.Loops < 1 || o.Loops > poller.MaxLoops {
		return o, fmt.Errorf("loops is %d: want 1 to %d", o.Loops, poller.MaxLoops)
	}
	if o.MaxConnections < 0 {
		return o, fmt.Errorf("max-connections is %d: want 1 or more, or 0 for what the machine allows", o.MaxConnections)
	}
	if o.DrainOver < 0 {
		return o, fmt.Errorf("drain is %v: want 0 or more", o.DrainOver)
	}
	if err := o.Connects.Check(); err != nil {
		return o, err
	}
	if o.timing == (timing{}) {
		o.timing = defaultTiming
	}
	if o.clock == nil {
		began := time.Now()
		o.clock = func() time.Duration { return time.Since(began) }
	}
	if o.Cluster != nil {
		c := *o.Cluster
		if err := c.check(&o); err != nil {
			return o, err
		}
		c.withDefaults()
		o.Cluster = &c
	}
	if o.Inbox == nil && o.Cluster == nil {
		o.Inbox = inbox.NewMemory(inbox.Limits{}, nil)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o, nil
}

// checkLoopback refuses an address that others can reach: without
// authentication anyone could publish to, or pose as, any device.
func checkLoopback(flag, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s address %q: want host:port: %w", flag, addr, err)
	}
	if host == "localhost" {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		return fmt.Errorf("%s address %q is not a loopback address: with auth none only 127.0.0.0/8, [::1] and localhost are served", flag, addr)
	}
	return nil
}
