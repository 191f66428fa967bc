package server

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/admission"
	"roost/server/ws"
)

// entrance decides who may connect now, in this order:
//
//	address   how often it may: 429                 before the query is read
//	device    how often it may, quarantine: 429
//	node      what it takes: 503 with a slot        gate.go
//
// Who is refused counts in none behind: a device that the gate puts off has not connected.
type entrance struct {
	// Static after init.
	limits      admission.Limits
	now         func() time.Duration // of all rules here
	seed        maphash.Seed         // of the hashes of devices
	addresses   *admission.Addresses // nil: no limit
	devices     *admission.Devices   // nil: no limit
	questions   *admission.Addresses // for routes (askers.go)
	quarantined []ws.HandshakeError  // by after how many whole seconds

	budget atomic.Int64 // connects a second that the node has measured that it takes
	gate   gate
	names  nameLimit
}

// Answers to those who are refused, by after how many whole seconds there is room.
var (
	refusedByNode    = refusals(503, "as many devices as this node takes connect in this second: come back in yours", gateSlots)
	refusedByAddress = refusals(429, "too many connects from this address: come back in your second", 61)
	refusedByDevice  = refusals(429, "this device connects too fast", 11) // the slowest rate is one in 10 s
)

// refusals are answers for 0 to n-1 seconds.
func refusals(status int, text string, n int) []ws.HandshakeError {
	list := make([]ws.HandshakeError, n)
	for after := range list {
		list[after] = ws.HandshakeError{Status: status, Text: text, RetryAfter: max(after, 1)}
	}
	return list
}

// refusal is the answer for so many seconds.
func refusal(list []ws.HandshakeError, after int) *ws.HandshakeError {
	return &list[min(after, len(list)-1)]
}

func (e *entrance) init(limits admission.Limits, now func() time.Duration) {
	e.limits, e.now, e.seed = limits, now, maphash.MakeSeed()
	e.budget.Store(acceptRate)
	e.questions = admission.NewAddresses(askRate)
	if limits.Address > 0 {
		e.addresses = admission.NewAddresses(limits.Address)
	}
	if limits.Device > 0 {
		e.devices = admission.NewDevices(limits.Device, limits.Quarantine)
		e.quarantined = refusals(429, "this device has connected too often and is kept out for a while: do two have its id?", int(limits.Quarantine/time.Second)+2)
	}
}

// rate is how many connects a second the node takes.
func (e *entrance) rate() float64 {
	if rate := float64(e.budget.Load()); e.limits.Node == 0 || rate <= e.limits.Node {
		return rate
	}
	return e.limits.Node
}

// fromAddress says whether an address may have a connect now; nil if so.
func (e *entrance) fromAddress(ip netip.Addr) *ws.HandshakeError {
	if after, ok := e.addresses.Take(e.now(), ip); !ok {
		return refusal(refusedByAddress, after)
	}
	return nil
}

// enters says whether a device may connect now; nil if so, and then it counts. planned is that another node has sent it.
func (h *handler) enters(c poller.Conn, id []byte, planned bool) *ws.HandshakeError {
	e := &h.s.entrance
	now, hash := e.now(), e.hash(id)
	if e.devices != nil {
		switch after, why := e.devices.Look(now, hash, planned); why {
		case admission.TooFast:
			return refusal(refusedByDevice, after)
		case admission.Quarantined:
			return refusal(e.quarantined, after)
		}
	}
	if e.limits.Node == 0 {
		e.gate.note(now, e.rate())
	} else if after, ok := e.gate.admit(now, e.rate(), planned, hash); !ok {
		return refusal(refusedByNode, after)
	}
	if e.devices == nil {
		return nil
	}
	if q, began := e.devices.Count(now, hash, planned); began {
		h.s.quarantine(string(id), q, h.remote(c))
	}
	return nil
}

// hash is what rules know a device by; never 0.
func (e *entrance) hash(id []byte) uint64 { return maphash.Bytes(e.seed, id) | 1<<63 }

// overtook takes note that a device which has just entered has ended the living connection of another client.
func (e *entrance) overtook(id []byte) {
	if e.devices != nil {
		e.devices.Overtook(e.now(), e.hash(id))
	}
}

// expect takes note that a device was told to come again to this node.
func (e *entrance) expect(id []byte) {
	if e.devices != nil {
		e.devices.Expect(e.now(), e.hash(id))
	}
}

// stormy reports whether so many devices connect that those who should be elsewhere had better wait.
func (e *entrance) stormy() bool { return e.gate.storm(e.now(), e.rate()) }

// quarantine names a device in the log that is kept out from now on.
func (s *Server) quarantine(device string, q admission.Quarantine, address netip.AddrPort) {
	ok, last := s.entrance.names.take(s.entrance.now())
	if !ok {
		return
	}
	text := "a device connects again and again: it is refused for a while"
	if q.Fight {
		text = "a device is fought for, by two clients with its id or by one that does not keep its session: it is refused for a while"
	}
	s.opt.Log.Warn(text, "device", device, "for", s.entrance.limits.Quarantine, "connects_in_a_minute", q.Connects, "others_ended", q.Overtook, "from", address)
	if last {
		s.opt.Log.Warn("no more devices are named in this minute: roost_quarantines_total counts them")
	}
}

// namedInMinute is how many devices are named in the log in a minute: a fleet with a bad release is not to fill a disk.
const namedInMinute = 20

// nameLimit bounds lines of the log.
type nameLimit struct {
	mu     sync.Mutex // covers the following
	minute int64
	n      int
}

// take reports whether one more may be named, and whether it is the last in its minute.
func (l *nameLimit) take(now time.Duration) (ok, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if minute := int64(now / time.Minute); minute != l.minute {
		l.minute, l.n = minute, 0
	}
	l.n++
	return l.n <= namedInMinute, l.n == namedInMinute
}

// fromAddress says whether the address of a connection may have one more now. Loopback is this machine, and a proxy that names
// nobody (a health check of its own, PROXY LOCAL) is all clients: neither is limited.
func (h *handler) fromAddress(c poller.Conn) *ws.HandshakeError {
	e, proxy := &h.s.entrance, &h.s.opt.Proxy
	if e.addresses == nil {
		return nil
	}
	ip := h.remote(c).Addr()
	named := proxy.Mode != ProxyOff && h.far.At(c.Slot()).known
	if !ip.IsValid() || ip.IsLoopback() || proxy.Mode != ProxyOff && !named && proxy.believes(ip) {
		return nil
	}
	return e.fromAddress(ip)
}

// Takes says how many connects a second the node takes, by what it has measured (admission.Budget); Options.Connects
// bounds it. In a cluster Cluster.Budget says so.
func (s *Server) Takes(perSecond float64) {
	if s.cluster == nil {
		s.entrance.budget.Store(int64(math.Round(max(perSecond, 1))))
	}
}
