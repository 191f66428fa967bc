package server

import (
	"io"

	"roost/server/metrics"
)

// kindNames are the values of the label of metrics.Connections.
var kindNames = [...]string{kindHandshake: "handshake", kindOpening: "opening", kindDevice: "device", kindEcho: "echo", kindOver: "closing"}

// WriteMetrics implements api.Node.
func (s *Server) WriteMetrics(out io.Writer) {
	w := metrics.NewWriter(out)
	s.writeConnections(w)
	s.writeTraffic(w)
	s.writeKept(w)
	s.writeCluster(w)
	s.metrics.Write(out)
}

// loops adds up one counter of all loops.
func (s *Server) loops(value func(n *loopCounters) uint64) float64 {
	sum := uint64(0)
	for _, h := range s.handlers {
		sum += value(&h.n)
	}
	return float64(sum)
}

func (s *Server) writeConnections(w *metrics.Writer) {
	st := s.p.Stats()
	for kind, name := range kindNames {
		n := int64(0)
		for _, h := range s.handlers {
			n += h.n.kinds[kind].Load()
		}
		w.Sample(metrics.Connections, float64(n), "kind", name)
	}
	w.Sample(metrics.ConnLimit, float64(s.capacity.Connections))
	w.Sample(metrics.Devices, float64(s.registry.Len()))
	w.Sample(metrics.Subscribed, float64(s.subscriptions.Load()))
	w.Sample(metrics.Accepted, float64(st.Accepted))
	w.Sample(metrics.AcceptErrors, float64(st.AcceptErrors))
	w.Sample(metrics.Refused, float64(st.Refused), "stage", "accept")
	w.Sample(metrics.Refused, s.loops(func(n *loopCounters) uint64 { return n.refused.Load() }), "stage", "request")
	s.writeEntrance(w)
	w.Sample(metrics.Upgrades, s.loops(func(n *loopCounters) uint64 { return n.upgraded.Load() }))
	w.Sample(metrics.UpgradeSlow, s.loops(func(n *loopCounters) uint64 { return n.upgradeTimeouts.Load() }))
	s.closes.each(func(code string, n uint64) { w.Sample(metrics.Closed, float64(n), "code", code) })
	w.Sample(metrics.Slow, float64(st.Slow))
	w.Sample(metrics.StaleEvents, float64(st.Stale))
	uring := 0.0
	if s.p.Uring().OK {
		uring = 1
	}
	w.Sample(metrics.IOUring, uring)
}

// writeEntrance writes who was refused for how often connects come.
func (s *Server) writeEntrance(w *metrics.Writer) {
	e := &s.entrance
	w.Sample(metrics.Budget, e.rate())
	w.Sample(metrics.PutOff, float64(e.gate.putOff.Load()))
	if e.addresses != nil {
		w.Sample(metrics.Limited, float64(e.addresses.Refused()), "by", "address")
	}
	if e.devices != nil {
		n := e.devices.Counts()
		w.Sample(metrics.Limited, float64(n.Early), "by", "device")
		w.Sample(metrics.Limited, float64(n.Kept), "by", "quarantine")
		w.Sample(metrics.Quarantines, float64(n.Flapping), "why", "flapping")
		w.Sample(metrics.Quarantines, float64(n.Fighting), "why", "takeover")
	}
}

func (s *Server) writeTraffic(w *metrics.Writer) {
	st := s.p.Stats()
	w.Sample(metrics.MessagesIn, s.loops(func(n *loopCounters) uint64 { return n.messagesIn.Load() }))
	w.Sample(metrics.PayloadIn, s.loops(func(n *loopCounters) uint64 { return n.bytesIn.Load() }))
	w.Sample(metrics.Heartbeats, s.loops(func(n *loopCounters) uint64 { return n.heartbeats.Load() }))
	w.Sample(metrics.Pings, s.loops(func(n *loopCounters) uint64 { return n.pings.Load() }))
	w.Sample(metrics.LiveResults, float64(s.live.written.Load()), "result", "written")
	w.Sample(metrics.LiveResults, float64(s.live.queued.Load()), "result", "queued")
	w.Sample(metrics.LiveResults, float64(s.live.offline.Load()), "result", "offline")
	w.Sample(metrics.LiveResults, float64(s.live.refused.Load()), "result", "refused")
	w.Sample(metrics.Deliveries, float64(st.CastWritten), "result", "written")
	w.Sample(metrics.Deliveries, float64(st.CastQueued), "result", "queued")
	w.Sample(metrics.Deliveries, float64(st.CastDropped), "result", "dropped")
	w.Sample(metrics.Broadcasts, float64(s.broadcasts.Load()))
	w.Sample(metrics.QueueDropped, float64(st.Dropped))
	w.Sample(metrics.QueueReplaced, float64(st.Replaced))
	w.Sample(metrics.QueueFull, float64(st.Overflow))
	w.Sample(metrics.Ups, s.loops(func(n *loopCounters) uint64 { return n.ups.Load() }))
	w.Sample(metrics.Listeners, float64(s.events.n.Load()))
	w.Sample(metrics.Reads, float64(st.Reads))
	w.Sample(metrics.Sends, float64(st.Sends))
	w.Sample(metrics.BytesIn, float64(st.BytesIn))
	w.Sample(metrics.BytesOut, float64(st.BytesOut))
}

// writeKept writes what the store knows. Published + recovered = the sum of all
// ends + in flight, at any moment.
func (s *Server) writeKept(w *metrics.Writer) {
	n := s.store.Counts()
	w.Sample(metrics.Known, float64(n.Devices))
	w.Sample(metrics.KeptMessages, float64(n.Published), "from", "published")
	w.Sample(metrics.KeptMessages, float64(n.Recovered), "from", "recovered")
	w.Sample(metrics.KeptEnds, float64(n.Acknowledged), "how", "acknowledged")
	w.Sample(metrics.KeptEnds, float64(n.Expired), "how", "expired")
	w.Sample(metrics.KeptEnds, float64(n.Removed), "how", "removed")
	w.Sample(metrics.KeptEnds, float64(n.Lost), "how", "lost")
	w.Sample(metrics.KeptInFlight, float64(n.InFlight))
	w.Sample(metrics.KeptBytes, float64(n.Bytes))
	w.Sample(metrics.KeptRefused, float64(n.Refused))
	w.Sample(metrics.KeptLimited, float64(n.Limited))
	w.Sample(metrics.KeptRepeated, float64(n.Duplicates))
	w.Sample(metrics.KeptSent, s.loops(func(n *loopCounters) uint64 { return n.keptSent.Load() }))
	w.Sample(metrics.Skips, s.loops(func(n *loopCounters) uint64 { return n.skips.Load() }))
	flows := int64(0)
	for _, h := range s.handlers {
		flows += h.n.flows.Load()
	}
	w.Sample(metrics.Flows, float64(flows))
	w.Sample(metrics.StoreCommits, float64(n.Commits), "result", "stored")
	w.Sample(metrics.StoreCommits, float64(n.Failed), "result", "failed")
	w.Sample(metrics.StoreKeys, float64(n.Keys))
	w.Sample(metrics.StoreDisk, float64(n.Disk))
	w.Sample(metrics.StoreDamages, float64(n.Damages))
}
