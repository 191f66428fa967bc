package member

import (
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// nudgeAfter is how long a node may be missing from the view before its registration is
// asked to look; it is asked as often.
const nudgeAfter = time.Second

// follow looks at every view, until the node ends.
func (n *Node) follow() {
	views := n.watcher.Subscribe()
	defer views.Close()
	var in *joined
	var missing time.Time
	tick := time.NewTicker(nudgeAfter)
	defer tick.Stop()
	for {
		v := n.watcher.View()
		n.follows(v)
		if in != nil {
			n.reorder(in, v, 0)
			missing = n.nudge(in, v, missing, time.Now())
		}
		select {
		case <-n.ctx.Done():
			return
		case in = <-n.joined:
			if s := n.drainer.now.Load(); s != nil && !s.Leaving {
				in.j.Hooks.Evacuate(s.Over) // begun before it joined
			}
		case <-views.C:
		case <-tick.C:
		}
	}
}

// follows takes note of what a view says of others.
func (n *Node) follows(v *cluster.View) {
	now := time.Now()
	n.leases.update(v, now)
	if err := n.peers.update(v, now); err != nil {
		n.o.Log.Warn("what a weight says cannot be read: it counts without", "err", err)
	}
}

// reorder begins and ends drains. in is nil before this node has joined: then what is begun
// with so many devices is only noted.
func (n *Node) reorder(in *joined, v *cluster.View, devices int) {
	begin, stay, err := orders(v, n.o.ID, n.drainer.now.Load(), time.Now())
	if err != nil && begin != nil {
		n.o.Log.Error("the order to drain cannot be read: draining all the same", "over", begin.Over, "err", err)
	}
	switch {
	case begin != nil && in == nil:
		begin.Began = devices
		n.drainer.now.Store(begin)
	case begin != nil:
		if begin.Began == 0 {
			begin.Began = in.j.Hooks.Load().Devices
		}
		if !n.drainer.set(begin) {
			return
		}
		n.o.Log.Info("draining", "over", begin.Over, "why", begin.Why, "devices", begin.Began)
		in.weight.tell(n.ctx) // new ones go elsewhere before the first is sent away
		in.j.Hooks.Evacuate(begin.Over)
	case stay && in != nil:
		if !n.drainer.set(nil) {
			return
		}
		n.o.Log.Info("staying: the drain was stopped")
		in.j.Hooks.Stay()
		in.weight.kick()
	}
}

// nudge asks the registration to look where a view lacks this node for a while. It returns
// since when.
func (n *Node) nudge(in *joined, v *cluster.View, since, now time.Time) time.Time {
	switch {
	case v.Revision == 0 || !v.Stale.IsZero() || v.Has(n.o.ID) || in.registration.Status().State != cluster.Registered:
		return time.Time{}
	case since.IsZero():
		return now
	case now.Sub(since) < nudgeAfter:
		return since
	}
	in.registration.Nudge()
	return now
}

// owns reports whether a ring in force sends devices to a node.
func owns(a *cluster.Active, id string) bool {
	canary, _ := a.Routes.Canary()
	for _, r := range []*ring.Ring{a.Routes.Stable(), canary} {
		if r == nil {
			continue
		}
		if x := r.Node(r.Find(id)); x != nil && x.Weight > 0 {
			return true
		}
	}
	return false
}

// alone reports that nobody else could own anything, or that nobody knows.
func alone(v *cluster.View, id string) bool {
	if !v.Stale.IsZero() {
		return true
	}
	for other := range v.Members {
		if w, said := v.Weights[other]; other != id && (!said || w.Value > 0) {
			return false
		}
	}
	return true
}
