package member

import (
	"context"
	"math"
	"time"

	"roost/decay/dawn"
	"roost/server/cluster"
)

// nights plays this node's part in maintenance nights. It belongs to one goroutine.
type nights struct {
	// Static after newNights.
	n     *Node
	store *cluster.Nights
	rules dawn.Rules
	now   func() time.Time

	calendar *dawn.Calendar // nil: there is none
	limits   dawn.Limits
	revision int64 // of the plan's key; 0 is none
	records  records
	machines map[dawn.Date]*night
	skew     time.Duration
	known    bool
}

// night is a machine, and when it wants to be woken.
type night struct {
	m     *dawn.Machine
	until time.Time
	over  bool // it has said Stop
}

const (
	// look is how often what is due is looked for, and the most that a machine sleeps:
	// clocks are set.
	look = time.Minute
	// skewed is by how much the clock's error must have changed to be said again.
	skewed = 5 * time.Second
	// mostActions bounds what one event leads to; a step is ten requests.
	mostActions = 100
)

func newNights(n *Node) *nights {
	return &nights{n: n, store: n.client.Nights(), rules: n.in.Load().j.Rules, now: time.Now, limits: dawn.DefaultLimits, machines: map[dawn.Date]*night{}}
}

// run plays until the node ends.
func (x *nights) run() {
	views := x.n.watcher.Subscribe()
	defer views.Close()
	var next time.Time
	for {
		v := x.n.watcher.View()
		if changed := x.reload(v); changed || !x.now().Before(next) {
			next = x.turn(x.n.ctx, v, changed)
		}
		timer := time.NewTimer(min(max(next.Sub(x.now()), 0), look))
		select {
		case <-x.n.ctx.Done():
			timer.Stop()
			return
		case <-views.C:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// reload takes the calendar of a view, if it is another one. One that cannot be read changes
// nothing.
func (x *nights) reload(v *cluster.View) (changed bool) {
	e, ok := v.Config[cluster.NightPlanName]
	if v.Revision == 0 || e.Revision == x.revision {
		return false
	}
	x.revision = e.Revision
	if !ok {
		x.n.o.Log.Info("there is no plan of maintenance nights any more")
		x.calendar, x.limits = nil, dawn.DefaultLimits
		return true
	}
	calendar, limits, err := cluster.ReadNightPlan(e.Value, x.n.o.Cluster.Environment)
	if err != nil {
		x.n.o.Log.Error("the plan of maintenance nights is refused: the one before stays", "key", "/config/"+cluster.NightPlanName, "err", err)
		return false
	}
	x.calendar, x.limits = calendar, limits
	x.n.o.Log.Info("plan of maintenance nights", "windows", len(calendar.Windows), "zone", calendar.Zone)
	for i := range calendar.Windows {
		if w := &calendar.Windows[i]; w.Cron.Form() != 0 {
			x.n.o.Log.Info("maintenance window", "id", w.ID, "cron", w.Cron.Describe(x.now()))
		}
	}
	return true
}

// turn gives every machine what is new, another calendar if changed, and returns when to
// look again.
func (x *nights) turn(ctx context.Context, v *cluster.View, changed bool) time.Time {
	if v.Revision == 0 {
		return x.now().Add(look)
	}
	list, err := x.records.of(v)
	if err != nil && x.n.notes.due("records", x.now()) {
		x.n.o.Log.Warn("records of nights cannot be read: they are left alone", "err", err)
	}
	x.clock()
	x.begin(ctx, list, changed)
	next := x.now().Add(look)
	for date, night := range x.machines {
		if !night.over && !x.now().Before(night.until) {
			x.drive(ctx, date, night, dawn.Tick{Now: x.now()})
		}
		if !night.over && night.until.Before(next) {
			next = night.until
		}
	}
	if x.calendar != nil {
		if n, ok := x.calendar.Next(x.now()); ok && n.Fire().Before(next) {
			next = n.Fire()
		}
	}
	return next
}

// clock measures how far this node's is off, and says it to all if that is new.
func (x *nights) clock() {
	skew, known := x.n.peers.skew(x.n.o.ID, x.now())
	if known == x.known && (skew-x.skew).Abs() < skewed {
		return
	}
	x.skew, x.known = skew, known
	for date, night := range x.machines {
		x.drive(x.n.ctx, date, night, x.fired())
	}
}

func (x *nights) fired() dawn.Event { return dawn.Fired{Now: x.now(), Skew: x.skew, Known: x.known} }

// begin makes a machine for each night that is due, and for what others have begun; it
// forgets those that are neither. Machines are idle between two turns: nothing is lost with
// one.
func (x *nights) begin(ctx context.Context, list []dawn.Record, changed bool) {
	wanted := map[dawn.Date]dawn.Night{}
	for i := range list {
		if r := &list[i]; !r.Done() {
			wanted[r.Date] = x.night(r.Date)
		}
	}
	if x.calendar != nil {
		for _, n := range x.calendar.Due(x.now()) {
			wanted[n.Date] = n
		}
	}
	for date, night := range x.machines {
		n, ok := wanted[date]
		switch {
		case !ok:
			delete(x.machines, date)
		case changed:
			x.drive(ctx, date, night, dawn.Reloaded{Now: x.now(), Night: n})
		}
	}
	for date, n := range wanted {
		if x.machines[date] != nil {
			continue
		}
		m, err := dawn.NewMachine(dawn.Config{
			Node: x.n.o.ID, Life: uint64(x.n.start / 1000), Environment: x.n.o.Cluster.Environment, Rules: x.rules, Limits: x.limits,
		}, n)
		if err != nil {
			if x.n.notes.due("night "+date.String(), x.now()) {
				x.n.o.Log.Error("this node takes no part in the night", "night", date, "err", err)
			}
			continue
		}
		x.machines[date] = &night{m: m}
		x.drive(ctx, date, x.machines[date], x.fired())
	}
}

// night is that of a date in the calendar of now, without openings if it has none.
func (x *nights) night(d dawn.Date) dawn.Night {
	if x.calendar != nil {
		if n, ok := x.calendar.Night(d); ok {
			return n
		}
	}
	return dawn.Night{Date: d, Environment: x.n.o.Cluster.Environment}
}

// drive gives a machine an event and carries out what follows from it.
func (x *nights) drive(ctx context.Context, date dawn.Date, night *night, event dawn.Event) {
	for range mostActions {
		switch a := night.m.Handle(event).(type) {
		case dawn.None:
			return
		case dawn.Wait:
			night.over, night.until = false, a.Until
			if most := x.now().Add(look); most.Before(a.Until) {
				night.until = most
			}
			return
		case dawn.Stop:
			if !night.over {
				x.n.o.Log.Info("night over", "night", date, "refused", a.Refused, "reason", a.Reason)
			}
			night.over = true
			return
		case dawn.Assess:
			event = dawn.Assessed{Now: x.now(), Seq: a.Seq, Loads: loads(x.n.watcher.View(), &x.n.peers)}
		default:
			var ok bool
			if event, ok = x.store.Do(ctx, a); !ok {
				return
			}
			if r, is := event.(dawn.CommitResult); is && r.Refusal == dawn.Accepted {
				x.n.o.Log.Info("night", "night", date, "state", night.m.String())
			}
		}
	}
	night.until = x.now().Add(look)
}

// loads is what each member carries, in devices.
func loads(v *cluster.View, p *peers) []dawn.Load {
	list := make([]dawn.Load, 0, len(v.Members))
	for id, m := range v.Members {
		l := dawn.Load{Node: dawn.Node{ID: id, Zone: m.Zone}, Used: math.NaN(), Capacity: math.NaN()}
		if x := p.get(id); x != nil && x.said.Connections != nil {
			l.Used = float64(*x.said.Connections)
		}
		if m.Capacity > 0 {
			l.Capacity = m.Capacity
		}
		list = append(list, l)
	}
	return list
}
