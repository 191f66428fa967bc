package decay

import "time"

// Signal is one measured quantity of a node. All of them are levels: the more,
// the fuller is the node. Quantities that exist only when something ends (the
// life of a connection, requests completed) are not here: long-lived connections
// starve them.
type Signal uint8

// The signals, in the order in which they are explained.
const (
	CPU         Signal = iota // share of the node's own cores, percent, 0-100
	Latency                   // 95th percentile of publish to written, ms
	Connections               // open, a count
	Backlog                   // bytes queued and not yet written
	LoopLag                   // how late the event loop turns, ms
	NumSignals  = iota
)

// signals says what is fixed about each Signal.
var signals = [NumSignals]struct {
	name, unit string
	perNode    bool    // it grows with the node's size, so it is divided by the capacity
	scale      float64 // default of SignalSettings.Scale
	weight     float64 // default of SignalSettings.Weight
}{
	CPU:         {"cpu", "%", false, 100, 0.4},
	Latency:     {"p95", "ms", false, 100, 0.1},
	Connections: {"conn", "", true, 50_000, 0.3},
	Backlog:     {"backlog", "B", true, 64 << 20, 0.1},
	LoopLag:     {"lag", "ms", false, 50, 0.1},
}

// String is the short name: cpu, p95, conn, backlog, lag.
func (s Signal) String() string {
	if s >= NumSignals {
		return "signal?"
	}
	return signals[s].name
}

// Unit is %, ms, B, or "" for a count.
func (s Signal) Unit() string {
	if s >= NumSignals {
		return ""
	}
	return signals[s].unit
}

// PerCapacity reports whether the signal grows with the size of the node, so
// that it is compared per unit of capacity: connections and backlog.
func (s Signal) PerCapacity() bool { return s < NumSignals && signals[s].perNode }

// Sample is what one node measured at one time. A field that is NaN, negative
// or infinite is not measured: the other signals decide alone. Values above 1e15
// count as 1e15.
type Sample struct {
	At          time.Duration // when it was measured, on the clock of Pipeline
	CPU         float64       // percent of the node's cores, 0-100
	Latency     float64       // P95, ms
	Connections float64
	Backlog     float64 // bytes
	LoopLag     float64 // ms
}

// values returns the fields in the order of Signal.
func (s *Sample) values() [NumSignals]float64 {
	return [NumSignals]float64{s.CPU, s.Latency, s.Connections, s.Backlog, s.LoopLag}
}

// SignalSettings says how a signal counts.
type SignalSettings struct {
	// Weight is the signal's share in the blend, relative to the others; 0 is
	// not used. If all weights are 0: cpu .4, conn .3, p95, backlog and lag .1.
	Weight float64
	// Scale is the value at which a node is full, in the signal's unit, for
	// Connections and Backlog that of a node of capacity 1. Default 100 %,
	// 100 ms, 50,000 connections, 64 MiB, 50 ms.
	Scale float64
}
