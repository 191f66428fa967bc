package scenario

import (
	"fmt"
	"time"
)

func groupPath(i int) string { return fmt.Sprintf("groups[%d]", i) }
func phasePath(i int) string { return fmt.Sprintf("phases[%d]", i) }

// resolvePhases fills in the phases, when the number of clients is known.
func resolvePhases(s *Scenario, set func(path string) bool) {
	connected := 0
	for i := range s.Phases {
		p := &s.Phases[i]
		path := phasePath(i)
		if p.Ramp != nil {
			resolveRamp(s, p.Ramp, path+".ramp", set)
		}
		for k := range p.Publish {
			resolvePublish(&p.Publish[k], fmt.Sprintf("%s.publish[%d]", path, k), set)
		}
		if p.Churn != nil {
			resolveArrival(&p.Churn.Arrival, path+".churn", set)
			setDefault(set(path+".churn.how"), &p.Churn.How, CloseFrame)
		}
		if p.Storm != nil {
			resolveStorm(p.Storm, path+".storm", set)
		}
		if p.Slow != nil {
			setDefault(set(path+".slow.share"), &p.Slow.Share, partOf(p.Slow.Group))
			setDefault(p.Slow.Read.Mode != "", &p.Slow.Read.Mode, ReadNever)
		}
		if p.HalfOpen != nil {
			setDefault(set(path+".half_open.share"), &p.HalfOpen.Share, partOf(p.HalfOpen.Group))
		}
		if p.Drain != nil {
			setDefault(set(path+".drain.how"), &p.Drain.How, CloseFrame)
			setDefault(set(path+".drain.over"), &p.Drain.Over, defaultDrainOver)
		}
		resolveEnd(s, p, path, connected, set)
		connected = after(p, connected)
	}
}

// partOf is the default share of slow and silent clients: all of a group.
func partOf(group string) float64 {
	if group != "" {
		return 1
	}
	return defaultSlowShare
}

// after is how many clients are connected when a phase has ended as planned.
func after(p *Phase, connected int) int {
	if p.Ramp != nil {
		connected = max(connected, p.Ramp.To)
	}
	if p.Drain != nil {
		connected = min(connected, p.Drain.To)
	}
	return connected
}

func resolveArrival(a *Arrival, path string, set func(path string) bool) {
	setDefault(a.Kind != "", &a.Kind, Constant)
	setDefault(set(path+".burst"), &a.Burst, 1)
}

func resolveRamp(s *Scenario, r *Ramp, path string, set func(path string) bool) {
	resolveArrival(&r.Arrival, path, set)
	if r.To < 0 {
		r.To = s.Clients.Count
	}
	if k := r.Arrival.Kind; k == Constant || k == Poisson {
		setDefault(set(path+".rate"), &r.Arrival.Rate, defaultRampRate)
	}
}

func resolvePublish(p *Publish, path string, set func(path string) bool) {
	resolveArrival(&p.Arrival, path, set)
	setDefault(set(path+".batch"), &p.Batch, 1)
	setDefault(set(path+".burst"), &p.Arrival.Burst, max(p.Batch, 1))
	setDefault(set(path+".to"), &p.To, ToAll)
	setDefault(set(path+".class"), &p.Class, "live")
	setDefault(set(path+".size") || p.Size.P50 != 0, &p.Size.P50, defaultSize)
	if p.Size.P99 != 0 && p.Size.Max == 0 {
		p.Size.Max = min(4*p.Size.P99, maxRoostPayload)
		p.Size.Max = max(p.Size.Max, p.Size.P99)
	}
	if p.Class == "kept" {
		setDefault(set(path+".ttl"), &p.TTL, defaultTTL)
	}
}

func resolveStorm(st *Storm, path string, set func(path string) bool) {
	setDefault(set(path+".how"), &st.How, CloseRST)
	share := defaultStormShare
	if st.How == CloseServer {
		share = 1
	}
	setDefault(set(path+".share"), &st.Share, share)
}

// resolveEnd: a phase that ramps, storms or drains ends when that is done, and
// fails a minute after it should have been.
func resolveEnd(s *Scenario, p *Phase, path string, connected int, set func(path string) bool) {
	if p.For == 0 && !set(path+".until") && !set(path+".for") {
		p.Until.Share = 1
		switch {
		case p.Storm != nil:
			p.Until.Kind = UntilRestored
		case p.Drain != nil:
			p.Until.Kind = UntilDrained
		case p.Ramp != nil:
			p.Until.Kind = UntilConnected
		default:
			p.Until.Share = 0
		}
	}
	if p.Until.Kind == UntilTime || set(path+".timeout") {
		return
	}
	p.Timeout = min(defaultPatience+2*expected(s, p, connected), MaxDuration).Round(time.Second)
}

// expected is how long an until-phase takes if all goes well: a lower bound.
func expected(s *Scenario, p *Phase, connected int) time.Duration {
	var d time.Duration
	if p.Ramp != nil {
		d = max(d, rampTime(p.Ramp, connected, p.For))
	}
	if p.Storm != nil {
		d = max(d, p.Storm.Over)
		if s.Reconnect.Policy == PolicyFixed {
			d = max(d, p.Storm.Over+s.Reconnect.Base)
		}
	}
	if p.Drain != nil {
		d = max(d, p.Drain.Over)
	}
	return d
}

// rampTime is how long a ramp's plan takes in a phase of a length; MaxDuration
// if it never gets there.
func rampTime(r *Ramp, connected int, length time.Duration) time.Duration {
	want := float64(r.To - connected)
	if want <= 0 || r.Arrival.Kind == AtOnce {
		return 0
	}
	if most := r.Arrival.Planned(MaxDuration, length); most < want-1 {
		return MaxDuration
	}
	lo, hi := time.Duration(0), MaxDuration
	for hi-lo > time.Microsecond { // Planned never falls
		if mid := (lo + hi) / 2; r.Arrival.Planned(mid, length) < want {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi.Round(time.Millisecond)
}
