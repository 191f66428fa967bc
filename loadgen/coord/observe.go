package coord

import (
	"time"

	"roost/loadgen/link"
	"roost/loadgen/merge"
	"roost/loadgen/redact"
	"roost/loadgen/result"
	"roost/loadgen/tally"
	"roost/loadgen/validity"
)

// observe puts together what the run shows of its generator, over the phases
// that count.
func (r *run) observe(res *result.Result) validity.Observation {
	o := validity.Observation{Shared: r.shared, AllowLoss: r.o.AllowLoss, ClockBound: r.bound, Ceiling: r.ceiling, Local: r.local(),
		PeakDeliveries: r.plans.PeakDeliveryRate, PeakSends: r.plans.PeakRequestRate, PeakDials: r.plans.PeakDialRate}
	uses := make([][]selfUse, len(r.members))
	for i, p := range r.phases {
		c := p.tally.Total()
		// Whom a warm-up has not dialled is missing in all that follows.
		if n := res.Phases[i].PlannedDials; n > 0 && p.at != 0 {
			o.PlannedDials += n
			o.Dials += c.Dials - min(c.Redials, c.Dials) + c.HeldDials
		}
		if p.spec.Warmup || p.at == 0 {
			continue
		}
		o.Planned, o.Sent, o.Unsent, o.ClockErrors = o.Planned+c.Planned, o.Sent+c.Sent, o.Unsent+c.Unsent, o.ClockErrors+c.ClockErrs
		o.Delivery = add(o.Delivery, merge.Delivery(&p.tally, r.reads))
		if p.closed != 0 {
			o.Length += time.Duration(p.closed - p.at)
			for w := range p.uses {
				uses[w] = append(uses[w], p.uses[w])
			}
			continue
		}
		o.Length += max(time.Duration(r.clock.Now()-p.at), 0)
		for w, m := range r.members {
			uses[w] = append(uses[w], m.use())
		}
	}
	for w, m := range r.members {
		o.Workers = append(o.Workers, m.observed(uses[w]))
	}
	o.Machines = r.machines(uses, o.Length)
	o.Waits = r.waits()
	return o
}

// add is Hist.Add, but leaves a as it is: it may belong to a phase.
func add(a, b *tally.Hist) *tally.Hist {
	switch {
	case b == nil:
		return a
	case a == nil:
		return b
	}
	var sum *tally.Hist
	return sum.Add(a).Add(b)
}

// observed is the worker as the checks see it.
func (m *member) observed(uses []selfUse) validity.Worker {
	w := validity.Worker{Index: m.Index, Host: m.Hello.Host, Lost: m.lost, RecvQ: m.self.RecvQ,
		SendLag: m.sendLag, DialLag: m.dialLag, Hiccup: m.hiccup, RxLag: m.rxLag,
		GCPause: time.Duration(m.gc.Quantile(.99)), Sched: time.Duration(m.sched.Quantile(.99))}
	sum := func(to *time.Duration, d time.Duration) {
		if d < 0 || *to < 0 {
			*to = validity.Unread
			return
		}
		*to += d
	}
	for _, u := range uses {
		sum(&w.CPU, u.self.CPU)
		sum(&w.RunDelay, u.self.RunDelay)
		if u.self.Throttled < 0 || w.Throttled < 0 {
			w.Throttled = validity.Unread
		} else {
			w.Throttled += u.self.Throttled
		}
	}
	if m.selfAt == 0 { // it has never said anything
		w.CPU, w.RunDelay, w.GCPause, w.Sched, w.Throttled, w.RecvQ = validity.Unread, validity.Unread, validity.Unread, validity.Unread, validity.Unread, validity.Unread
	}
	return w
}

// machines are those that workers are on, each by what one of its workers says.
func (r *run) machines(uses [][]selfUse, length time.Duration) (all []validity.Machine) {
	seen := map[string]bool{}
	for w, m := range r.members {
		if m.selfAt == 0 || seen[m.Hello.Boot] {
			continue
		}
		seen[m.Hello.Boot] = true
		v := validity.Machine{Host: m.Hello.Host, PSI: validity.Unread, Steal: validity.Unread}
		steal, told := time.Duration(0), true
		for _, u := range uses[w] {
			v.PSI = max(v.PSI, u.psi)
			told = told && u.self.Steal >= 0
			steal += u.self.Steal
			if u.self.Net != nil && v.Net == nil {
				v.Net = link.Net{}
			}
			for name, n := range u.self.Net {
				v.Net[name] += n
			}
		}
		if told && length > 0 && m.Hello.Cores > 0 {
			v.Steal = steal.Seconds() / length.Seconds() / float64(m.Hello.Cores)
		}
		all = append(all, v)
	}
	return all
}

// waits are what had to wait for each API, in the phases that count.
func (r *run) waits() (all []validity.Wait) {
	for i, url := range r.s.Target.APIs {
		w := validity.Wait{API: redact.Text(url)}
		for _, p := range r.phases {
			if i < len(p.tally.Waits) && !p.spec.Warmup {
				w.Messages += p.tally.Waits[i].Messages
				w.Requests = max(w.Requests, p.tally.Waits[i].Requests)
			}
		}
		all = append(all, w)
	}
	return all
}
