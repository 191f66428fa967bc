package bench

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/result"
)

// load is one that is put on every server: a scenario with its parameters, and
// what is read from its results.
type load struct {
	name    string
	title   string
	file    string // of bench/scenarios
	params  []string
	columns []column
}

// Names of loads.
const (
	loadIdle      = "idle"
	loadBroadcast = "broadcast"
	loadSpin      = "broadcast-spin"
	loadBurst     = "burst"
	loadEcho      = "echo"
)

// burstSize is how many broadcasts are published at once in the burst load.
const burstSize = 8

// broadcastRate is broadcasts a second, to all connections; burstRate due times
// of burstSize broadcasts each.
func (o *PeersOptions) broadcastRate() float64 { return round3(o.Deliveries / float64(o.Connections)) }
func (o *PeersOptions) burstRate() float64     { return round3(o.broadcastRate() / burstSize) }

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

// loads returns them in their order.
func (o *PeersOptions) loads() []load {
	count, hold := param("count", o.Connections), param("hold", o.Hold)
	warmup := param("warmup", min(2*time.Second, o.Hold))
	broadcast := func(more ...string) []string { return append([]string{count, hold, warmup}, more...) }
	return []load{
		{loadIdle, "Memory and handshakes", "idle.yaml", []string{count, param("settle", o.Settle)}, idleColumns},
		{loadBroadcast, "Broadcast, client sleeping", "broadcast.yaml", broadcast(rate(o.broadcastRate())), broadcastColumns},
		{loadSpin, "Broadcast, client spinning (as a client on another machine: the server pays for no wake-up)", "broadcast.yaml",
			broadcast(rate(o.broadcastRate()), "spin=true"), broadcastColumns},
		{loadBurst, "Broadcasts published eight at once, client sleeping", "broadcast.yaml",
			broadcast(rate(o.burstRate()), param("burst", burstSize)), broadcastColumns},
		{loadEcho, "Echo, client sleeping", "echo.yaml", []string{param("count", o.EchoConnections), rate(o.EchoRate), hold, warmup}, echoColumns},
	}
}

func param(name string, value any) string { return fmt.Sprintf("%s=%v", name, value) }

func rate(v float64) string { return "rate=" + strconv.FormatFloat(v, 'f', -1, 64) + "/s" }

// column is one number of a run.
type column struct {
	title  string
	format string // of the number
	kind   kind
	value  func(r *result.Result) float64 // NaN: the run has none
}

// kind says what a column's numbers depend on.
type kind uint8

const (
	timed  kind = iota // on what else goes on
	ratio              // on that too; also written as a multiple of the floor's
	memory             // on the server alone
)

var idleColumns = []column{
	{"RSS B/conn settled", "%.0f", memory, func(r *result.Result) float64 { return slope(r, rss) }},
	{"raw", "%.0f", memory, raw},
	{"kernel KB/conn, both ends", "%.1f", memory, func(r *result.Result) float64 { return slope(r, kernel) / 1e3 }},
	{"us/handshake", "%.1f", ratio, func(r *result.Result) float64 { return cost(r, established, true) }},
	{"handshakes/s", "%.0f", timed, handshakeRate},
}

var broadcastColumns = []column{
	{"us/delivery", "%.2f", ratio, func(r *result.Result) float64 { return cost(r, delivered, true) }},
	{"without ksoftirqd", "%.2f", timed, func(r *result.Result) float64 { return cost(r, delivered, false) }},
	{"spread p50 ms", "%.0f", timed, millis("fan_spread.p50")},
	{"spread p99 ms", "%.0f", timed, millis("fan_spread.p99")},
	{"p99 ms from due", "%.0f", timed, millis("delivery.p99")},
}

var echoColumns = []column{
	{"us/message", "%.2f", ratio, func(r *result.Result) float64 { return cost(r, delivered, true) }},
	{"p50 ms from due", "%.2f", timed, millis("delivery.p50")},
	{"p99 ms", "%.2f", timed, millis("delivery.p99")},
}

// millis reads a metric in milliseconds.
func millis(name string) func(r *result.Result) float64 {
	return func(r *result.Result) float64 {
		if m, ok, _ := r.Lookup(name); ok {
			return m.Value / 1e6
		}
		return math.NaN()
	}
}

func established(p *result.Phase) uint64 { return p.Tally.Total().Established }
func delivered(p *result.Phase) uint64   { return p.Tally.Total().Delivered }

// cost is the server's CPU in microseconds for each event, of the phases that
// have any and are no warm-up, with ksoftirqd's or without.
func cost(r *result.Result, events func(*result.Phase) uint64, softirq bool) float64 {
	var cpu time.Duration
	n := uint64(0)
	for i := range r.Phases {
		p := &r.Phases[i]
		k := uint64(0)
		if p.Tally != nil && !p.Warmup && len(p.Servers) > 0 {
			k = events(p)
		}
		if k == 0 {
			continue
		}
		n += k
		cpu += p.Servers[0].CPU
		if softirq {
			cpu += p.Servers[0].Softirq
		}
	}
	if n == 0 || cpu == 0 {
		return math.NaN()
	}
	return float64(cpu) / 1e3 / float64(n)
}

func rss(u *result.ServerUse) int64 { return u.RSS }

// kernel is the memory of sockets with their buffers, -1 if one is not known.
func kernel(u *result.ServerUse) int64 {
	if u.Slab < 0 || u.Sock < 0 {
		return -1
	}
	return u.Slab + u.Sock
}

// slope is bytes per connection: the line through the plateaus, which are the
// phases in which nobody dialled.
func slope(r *result.Result, level func(*result.ServerUse) int64) float64 {
	var x, y []float64
	for i := range r.Phases {
		p := &r.Phases[i]
		if p.Tally == nil || p.Tally.Total().Dials > 0 || len(p.Servers) == 0 || level(&p.Servers[0]) < 0 {
			continue
		}
		x, y = append(x, float64(p.Connected)), append(y, float64(level(&p.Servers[0])))
	}
	if each, _, ok := plan.Fit(x, y); ok {
		return each
	}
	return math.NaN()
}

// raw is the most resident memory that was seen, before collections and rest had
// their effect: what grew since before the first connection, for each.
func raw(r *result.Result) float64 {
	if len(r.Servers) == 0 || r.Servers[0].Before == nil {
		return math.NaN()
	}
	most, connected := int64(0), 0
	for _, p := range r.Series {
		most, connected = max(most, p.ServerRSS), max(connected, p.Connected)
	}
	if connected == 0 {
		return math.NaN()
	}
	return float64(most-r.Servers[0].Before.RSS) / float64(connected)
}

// handshakeRate is handshakes a second while there were some to make: all dials
// of a phase are due at its begin.
func handshakeRate(r *result.Result) float64 {
	n, took := 0.0, 0.0
	for i := range r.Phases {
		p := &r.Phases[i]
		last, ok, _ := r.Lookup(p.Name + ".greeting.max")
		if !ok || p.Tally == nil {
			continue
		}
		n += float64(established(p))
		took += last.Value / 1e9
	}
	if n == 0 || took == 0 {
		return math.NaN()
	}
	return n / took
}
