package server

import (
	"strconv"
	"time"

	"roost/ring"
	"roost/server/fanout"
	"roost/server/mesh"
	"roost/server/metrics"
)

// writeCluster writes what a node of a cluster knows of the others.
func (s *Server) writeCluster(w *metrics.Writer) {
	if s.cluster == nil {
		return
	}
	s.writeRings(w)
	s.writePresence(w)
	s.writeBus(w)
	s.writeMesh(w)
	s.writeElsewhere(w)
	s.writeMoves(w)
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s *Server) writeRings(w *metrics.Writer) {
	v, p := s.cluster.opt.Members.View(), s.cluster.opt.Rings.Load().Pointer
	w.Sample(metrics.Members, float64(len(v.Members)))
	w.Sample(metrics.EtcdRevision, float64(v.Revision))
	stale := 0.0
	if !v.Stale.IsZero() {
		stale = time.Since(v.Stale).Seconds()
	}
	w.Sample(metrics.EtcdStale, stale)
	w.Sample(metrics.RingActivation, float64(p.Activation))
	w.Sample(metrics.RingVersion, float64(p.Stable), "ring", "stable")
	w.Sample(metrics.RingVersion, float64(p.Canary), "ring", "canary")
	w.Sample(metrics.RingShare, float64(p.Share)/ring.ShareUnit)
	labels := []string{"version", strconv.FormatUint(p.Stable, 10), "hash", p.StableHash.String(), "canary", "", "canary_hash", ""}
	if p.Canary != 0 {
		labels[5], labels[7] = strconv.FormatUint(p.Canary, 10), p.CanaryHash.String()
	}
	w.Sample(metrics.RingInfo, bit(p.Activation != 0), labels...)
	for i, n := range ringNodes(v, &p, s.opt.Node) {
		w.Sample(metrics.RingNodes, float64(n), "holds", ringWords[i])
	}
}

func (s *Server) writePresence(w *metrics.Writer) {
	st := s.cluster.keeper.Stats()
	w.Sample(metrics.PresenceUp, bit(s.cluster.keeper.Up()))
	w.Sample(metrics.PresenceDevices, float64(st.Devices-st.Provisional), "state", "stored")
	w.Sample(metrics.PresenceDevices, float64(st.Provisional), "state", "provisional")
	w.Sample(metrics.PresencePending, float64(st.Pending))
	alive, dead := 0, 0
	nodes, _ := s.cluster.keeper.Nodes()
	for _, n := range nodes {
		if _, gone := n.Evidence.Dead(); gone {
			dead++
		} else if n.Evidence.Alive() {
			alive++
		}
	}
	w.Sample(metrics.PresenceNodes, float64(alive), "state", "alive")
	w.Sample(metrics.PresenceNodes, float64(len(nodes)-alive-dead), "state", "suspect")
	w.Sample(metrics.PresenceNodes, float64(dead), "state", "dead")
	for _, c := range []struct {
		what string
		n    uint64
	}{
		{"claimed", st.Claims}, {"alone", st.Alone}, {"released", st.Released}, {"dropped", st.Dropped}, {"late", st.Late},
		{"refreshed", st.Refreshed}, {"zombie", st.Zombies}, {"reasserted", st.Reasserted}, {"trimmed", st.Trimmed},
		{"failed", st.Failed}, {"missed", st.Missed},
	} {
		w.Sample(metrics.PresenceDone, float64(c.n), "what", c.what)
	}
	if s.cluster.webhook == nil {
		return
	}
	h := s.cluster.webhook.Stats()
	w.Sample(metrics.Webhooks, float64(h.Delivered), "what", "delivered")
	w.Sample(metrics.Webhooks, float64(h.Changes), "what", "changes")
	w.Sample(metrics.Webhooks, float64(h.Retried), "what", "retried")
	w.Sample(metrics.Webhooks, float64(h.Refused), "what", "refused")
	w.Sample(metrics.Webhooks, float64(h.GivenUp), "what", "given_up")
	w.Sample(metrics.Webhooks, float64(h.Missed), "what", "missed")
}

func (s *Server) writeBus(w *metrics.Writer) {
	st := s.cluster.mesh.State()
	w.Sample(metrics.BusUp, bit(st.Up))
	w.Sample(metrics.BusRoundTrip, st.RoundTrip.Seconds())
	w.Sample(metrics.BusListeners, float64(st.Listeners))
	w.Sample(metrics.BusTopics, float64(st.Topics))
	w.Sample(metrics.BusWaiting, float64(st.Waiting))
	w.Sample(metrics.BusResubscribed, float64(st.Resubscribed))
	w.Sample(metrics.BusSent, float64(st.Sent), "result", "sent")
	w.Sample(metrics.BusSent, float64(st.Failed), "result", "failed")
	for q := range st.Received {
		w.Sample(metrics.BusReceived, float64(st.Received[q]), "queue", fanout.Queue(q).String())
	}
	for q := range st.Dropped {
		w.Sample(metrics.BusDropped, float64(st.Dropped[q]), "queue", fanout.Queue(q).String())
	}
	w.Sample(metrics.BusRefused, float64(st.Invalid), "why", "invalid")
	w.Sample(metrics.BusRefused, float64(st.Unknown), "why", "unknown")
}

func (s *Server) writeMesh(w *metrics.Writer) {
	st := s.cluster.mesh.Stats()
	for k := range st.Sent {
		if kind := fanout.Kind(k); kind.Known() {
			w.Sample(metrics.MeshSent, float64(st.Sent[k]), "kind", kind.String())
		}
	}
	for k := range st.Received {
		if kind := fanout.Kind(k); kind.Known() {
			w.Sample(metrics.MeshReceived, float64(st.Received[k]), "kind", kind.String())
		}
	}
	for side := range st.Hits {
		w.Sample(metrics.MeshLooked, float64(st.Hits[side]), "side", mesh.Side(side).String(), "result", "hit")
		w.Sample(metrics.MeshLooked, float64(st.Misses[side]), "side", mesh.Side(side).String(), "result", "miss")
	}
	w.Sample(metrics.MeshDebts, float64(st.Debts))
	for _, c := range []struct {
		what string
		n    uint64
	}{
		{"forwarded", st.Forwarded}, {"asked_presence", st.Asked}, {"not_answered", st.Unknown}, {"nobody", st.Nobody},
		{"failed", st.Failed}, {"silent", st.Silent}, {"late", st.Late}, {"expired", st.Expired}, {"repeated", st.Repeated},
		{"ignored", st.Ignored}, {"unanswered", st.Unanswered}, {"sweep", st.Sweeps}, {"deaf", st.Deaf}, {"twin", st.Twins},
	} {
		w.Sample(metrics.MeshDone, float64(c.n), "what", c.what)
	}
}

// writeElsewhere writes what publishers here sent to devices at other nodes, and what
// was done for those of other nodes.
func (s *Server) writeElsewhere(w *metrics.Writer) {
	for _, c := range []struct {
		what string
		n    uint64
	}{
		{"kept", s.away.notices.Load()}, {"live", s.away.lives.Load()}, {"live_failed", s.away.livesFailed.Load()},
		{"cast", s.away.casts.Load()}, {"cast_failed", s.away.castsFailed.Load()}, {"cast_lost", s.away.castsLost.Load()},
		{"wait_refused", s.away.waitsFull.Load()},
	} {
		w.Sample(metrics.Elsewhere, float64(c.n), "what", c.what)
	}
	w.Sample(metrics.Awaiting, float64(s.hub.Awaiting()))
	w.Sample(metrics.Resyncs, float64(s.resync.n.Load()))
	if guard := s.cluster.opt.Guard; guard != nil {
		g := guard()
		w.Sample(metrics.RedisForeign, bit(g.Foreign))
		w.Sample(metrics.RedisRefused, float64(g.Refused))
		w.Sample(metrics.RedisLosses, float64(g.Losses))
	}
}
