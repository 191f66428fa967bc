package validity

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

const ms = time.Millisecond

func limits() scenario.Validity {
	return scenario.Validity{MinRate: .995, SendLag: 10 * ms, Hiccup: 10 * ms, RxLagShare: .2, CPU: .8, RunDelay: .1, PSI: 20,
		GCPause: ms, CeilingFactor: 2}
}

// hist holds n values, the last few of which are the worst.
func hist(n int, usual time.Duration, few int, worst time.Duration) *tally.Hist {
	h := tally.NewHist()
	h.RecordN(int64(usual), uint64(n-few))
	if few > 0 {
		h.RecordN(int64(worst), uint64(few))
	}
	return h
}

// healthy is a run at moderate load on two processors that server and
// generator share with others, as it was measured.
func healthy() Observation {
	return Observation{
		Length: time.Minute, Planned: 60_000, Sent: 60_000, PlannedDials: 1000, Dials: 1000,
		PeakDeliveries: 100_000, PeakSends: 1000, PeakDials: 500,
		Delivery: hist(600_000, ms, 12_000, 8*ms),
		Workers: []Worker{{Index: 0, CPU: 24 * time.Second, RunDelay: 17 * time.Second, GCPause: 200 * time.Microsecond, Sched: 3 * ms,
			SendLag: hist(60_000, 400*time.Microsecond, 700, 2*ms), DialLag: hist(1000, ms, 0, 0),
			Hiccup: hist(60_000, 80*time.Microsecond, 100, 5*ms), RxLag: hist(6000, 20*time.Microsecond, 100, ms)}},
		Machines: []Machine{{PSI: 60, Steal: .01, Net: map[string]int64{"ListenOverflows": 0, "ListenDrops": 0, "TCPBacklogDrop": 0,
			"TCPRcvQDrop": 0, "RetransSegs": 0, "TCPTimeWaitOverflow": 0}}},
		Shared:  true,
		Ceiling: &Ceiling{Deliveries: 300_000, Sends: 20_000, Dials: 5000},
	}
}

// alone is the same with processors of its own.
func alone() Observation {
	o := healthy()
	o.Shared = false
	o.Workers[0].RunDelay = time.Second
	o.Workers[0].Sched = 100 * time.Microsecond
	o.Machines[0].PSI = 5
	return o
}

func find(checks []result.Check, name string) (result.Check, bool) {
	i := slices.IndexFunc(checks, func(c result.Check) bool { return c.Name == name })
	if i < 0 {
		return result.Check{}, false
	}
	return checks[i], true
}

func TestHealthyRunsAreValid(t *testing.T) {
	for name, o := range map[string]Observation{"shared": healthy(), "alone": alone()} {
		checks := Judge(o, limits())
		if Verdict(checks) != result.Valid {
			t.Errorf("%s: INVALID", name)
		}
		for _, c := range checks {
			if c.State == "unknown" || c.State == "fail" {
				t.Errorf("%s: %s is %s: %g, limit %g: %s", name, c.Name, c.State, c.Value, c.Limit, c.Text)
			}
		}
	}
}

// spoils are runs with one thing wrong.
var spoils = []struct {
	what  string
	spoil func(o *Observation)
	check string
	state string
}{
	{"missed rate", func(o *Observation) { o.Sent = 59_000; o.Unsent = 0 }, nameRate, "fail"},
	{"nearly missed rate", func(o *Observation) { o.Sent = 59_800 }, nameRate, "pass"},
	{"unsent", func(o *Observation) { o.Unsent = 1 }, nameUnsent, "fail"},
	{"dials never begun", func(o *Observation) { o.Dials = 900 }, nameDials, "fail"},
	{"out of ports", func(o *Observation) { o.Local = Local{1, "EADDRNOTAVAIL", "give more"} }, nameLocal, "fail"},
	{"late", func(o *Observation) { o.Workers[0].SendLag = hist(60_000, ms, 700, 20*ms) }, nameSendLag, "fail"},
	{"late now and then", func(o *Observation) { o.Workers[0].SendLag = hist(60_000, ms, 500, 20*ms) }, nameSendLag, "pass"},
	{"one of few is no percentile", func(o *Observation) { o.Workers[0].SendLag = hist(12, ms, 1, 20*ms) }, nameSendLag, "pass"},
	{"two of few are", func(o *Observation) { o.Workers[0].SendLag = hist(12, ms, 2, 20*ms) }, nameSendLag, "fail"},
	{"late for what is measured", func(o *Observation) { o.Workers[0].SendLag = hist(60_000, 6*ms, 0, 0) }, nameSendShare, "fail"},
	{"late in one worker of many, for none of the percentiles", func(o *Observation) {
		few := o.Workers[0]
		few.Index, few.SendLag = 1, hist(100, ms, 3, 9*ms)
		o.Workers = append(o.Workers, few)
	}, nameSendShare, "pass"},
	{"late in one worker of many, as the percentile of all", func(o *Observation) {
		few := o.Workers[0]
		few.Index, few.SendLag = 1, hist(2000, ms, 1000, 9*ms)
		o.Workers = append(o.Workers, few)
	}, nameSendShare, "fail"},
	{"a little late for little", func(o *Observation) {
		o.Delivery = hist(60_000, 900*time.Microsecond, 0, 0)
		o.Workers[0].SendLag = hist(60_000, 800*time.Microsecond, 0, 0)
		o.Workers[0].RxLag = hist(6000, 20*time.Microsecond, 0, 0)
	}, nameSendShare, "advice"},
	{"lag not known", func(o *Observation) { o.Workers[0].SendLag = nil }, nameSendLag, "unknown"},
	{"dials late", func(o *Observation) { o.Workers[0].DialLag = hist(1000, time.Second, 0, 0) }, nameDialLag, "advice"},
	{"hiccups", func(o *Observation) { o.Workers[0].Hiccup = hist(60_000, ms, 100, 12*ms) }, nameHiccup, "fail"},
	{"no hiccup meter", func(o *Observation) { o.Workers[0].Hiccup = nil }, nameHiccup, "unknown"},
	{"stopped for a second", func(o *Observation) { o.Workers[0].Hiccup = hist(1_800_000, ms, 1, time.Second) }, nameHiccupMax, "fail"},
	{"reads late", func(o *Observation) { o.Workers[0].RxLag = hist(6000, 20*time.Microsecond, 100, 3*ms) }, nameRxLag, "fail"},
	{"reads late, below what can be seen", func(o *Observation) {
		o.Delivery = hist(1000, 100*time.Microsecond, 0, 0)
		o.Workers[0].RxLag = hist(6000, 90*time.Microsecond, 0, 0)
		o.Workers[0].SendLag = hist(6000, 20*time.Microsecond, 0, 0)
	}, nameRxLag, "advice"},
	{"reads late, and most was missed", func(o *Observation) {
		o.Delivery.Miss(1e6)
		o.Workers[0].RxLag = hist(6000, 3*ms, 0, 0)
	}, nameRxLag, "fail"},
	{"no stamped sockets", func(o *Observation) { o.Workers[0].RxLag = nil }, nameRxLag, "unknown"},
	{"busy", func(o *Observation) { o.Workers[0].CPU = 50 * time.Second }, nameCPU, "fail"},
	{"busy, not known", func(o *Observation) { o.Workers[0].CPU = Unread }, nameCPU, "unknown"},
	{"starved", func(o *Observation) { o.Workers[0].RunDelay = 59 * time.Second }, nameRunDelay, "fail"},
	{"throttled", func(o *Observation) { o.Workers[0].Throttled = 1 }, nameThrottled, "fail"},
	{"no cgroup", func(o *Observation) { o.Workers[0].Throttled = Unread }, nameThrottled, "unknown"},
	{"some steal", func(o *Observation) { o.Machines[0].Steal = .05 }, nameSteal, "advice"},
	{"much steal", func(o *Observation) { o.Machines[0].Steal = .2 }, nameSteal, "fail"},
	{"pressure not known", func(o *Observation) { o.Machines[0].PSI = Unread }, namePSI, "unknown"},
	{"unread bytes", func(o *Observation) { o.Workers[0].RecvQ = 5 }, nameRecvQ, "advice"},
	{"full listeners", func(o *Observation) { o.Machines[0].Net["ListenOverflows"] = 7 }, "ListenOverflows", "advice"},
	{"no counters", func(o *Observation) { o.Machines[0].Net = nil }, "RetransSegs", "unknown"},
	{"clock errors", func(o *Observation) { o.ClockErrors = 1 }, nameClockErrors, "fail"},
	{"clocks a little apart", func(o *Observation) { o.ClockBound = 300 * time.Microsecond }, nameClockBound, "advice"},
	{"clocks apart", func(o *Observation) { o.ClockBound = 3 * ms }, nameClockBound, "fail"},
	{"clocks not compared", func(o *Observation) { o.ClockBound = Unread }, nameClockBound, "unknown"},
	{"lost a worker", func(o *Observation) { o.Workers = append(o.Workers, Worker{Index: 1, Lost: "hung"}) }, nameLost, "fail"},
	{"lost a worker, as allowed", func(o *Observation) {
		o.Workers = append(o.Workers, Worker{Index: 1, Lost: "hung"})
		o.AllowLoss = true
	}, nameLost, "advice"},
	{"near its ceiling", func(o *Observation) { o.Ceiling.Deliveries = 150_000 }, nameDeliveries, "fail"},
	{"near its ceiling of dials", func(o *Observation) { o.Ceiling.Dials = 501 }, nameDialCeiling, "advice"},
	{"no ceiling", func(o *Observation) { o.Ceiling = nil }, nameSends, "unknown"},
	{"no ceiling of sends", func(o *Observation) { o.Ceiling.Sends = 0 }, nameSends, "unknown"},
	{"waits for an API", func(o *Observation) { o.Waits = []Wait{{"http://a", 0, 1024}, {"http://b", 3, 1024}} }, nameSlots, "advice"},
	{"waits for no API", func(o *Observation) { o.Waits = []Wait{{"http://a", 0, 1024}} }, nameSlots, "pass"},
}

// TestChecks breaks one thing at a time. A check is of both machines unless it
// says which.
func TestChecks(t *testing.T) {
	for _, c := range spoils {
		for name, o := range map[string]Observation{"shared": healthy(), "alone": alone()} {
			c := c
			if o.Shared && c.check == nameRxLag && c.state == "fail" {
				c.state = "advice" // beside the server, reading late is expected
			}
			c.spoil(&o)
			checks := Judge(o, limits())
			got, ok := find(checks, c.check)
			if !ok || got.State != c.state {
				t.Errorf("%s, %s: %s is %q (value %g, limit %g), want %s", c.what, name, c.check, got.State, got.Value, got.Limit, c.state)
				continue
			}
			fatal := c.state == "fail" || c.state == "unknown" && slices.Contains(must, c.check)
			if (Verdict(checks) == result.Invalid) != fatal {
				t.Errorf("%s, %s: the run is %s", c.what, name, Verdict(checks))
			}
			for _, o := range checks {
				if Fatal(&o) && o.Name != c.check && !(c.check == nameHiccup && o.Name == nameHiccupMax || c.check == nameSendLag && o.Name == nameSendShare) {
					t.Errorf("%s, %s: %s is %s as well", c.what, name, o.Name, o.State)
				}
			}
			if c.state != "pass" && strings.Count(got.Text, ".") < 2 {
				t.Errorf("%s: the text does not say what to do: %q", c.what, got.Text)
			}
		}
	}
}

// TestWaitingCountsWhereNobodySharesTheProcessor more than where the server
// does.
func TestWaitingCountsWhereNobodySharesTheProcessor(t *testing.T) {
	for _, c := range []struct {
		spoil         func(o *Observation)
		check         string
		alone, shared string
	}{
		{func(o *Observation) { o.Workers[0].RunDelay = 12 * time.Second }, nameRunDelay, "fail", "advice"},
		{func(o *Observation) { o.Workers[0].Sched = 5 * ms }, nameSched, "fail", "advice"},
		{func(o *Observation) { o.Workers[0].GCPause = 5 * ms }, nameGC, "fail", "advice"},
		{func(o *Observation) { o.Machines[0].PSI = 90 }, namePSI, "fail", "advice"},
	} {
		for want, o := range map[*string]Observation{&c.alone: alone(), &c.shared: healthy()} {
			c.spoil(&o)
			if got, _ := find(Judge(o, limits()), c.check); got.State != *want {
				t.Errorf("%s, shared %v: %s, want %s: %s", c.check, o.Shared, got.State, *want, got.Text)
			} else if o.Shared && !strings.Contains(got.Text, "server") {
				t.Errorf("%s does not say that the server is beside: %s", c.check, got.Text)
			}
		}
	}
}

// TestTheWorstWorkerCounts: 53 workers at ease do not hide one that is not; and
// one that had nothing to send is no reason for doubt.
func TestTheWorstWorkerCounts(t *testing.T) {
	o := healthy()
	for i := 1; i < 54; i++ {
		w := o.Workers[0]
		w.Index, w.Host = i, "b"
		o.Workers = append(o.Workers, w)
	}
	o.Workers[5].SendLag = nil
	o.Workers[6].RxLag = tally.NewHist()
	if v := Verdict(Judge(o, limits())); v != result.Valid {
		t.Errorf("workers with nothing to send: %s", v)
	}
	o.Workers[17].Hiccup = hist(60_000, ms, 600, 100*ms)
	c, _ := find(Judge(o, limits()), nameHiccup)
	if c.State != "fail" || !strings.Contains(c.Text, "worker 17 on b") {
		t.Errorf("%s: %s", c.State, c.Text)
	}
	o = healthy()
	o.Workers = append(o.Workers, o.Workers[0])
	o.Workers[1].Hiccup = nil
	if c, _ := find(Judge(o, limits()), nameHiccup); c.State != "unknown" || !strings.Contains(c.Text, "1 of 2 workers") {
		t.Errorf("%s: %s", c.State, c.Text)
	}
	o.Workers[0].Hiccup = hist(100, time.Second, 0, 0)
	if c, _ := find(Judge(o, limits()), nameHiccup); c.State != "fail" {
		t.Errorf("one worker fails and one is unknown: %s", c.State)
	}
}

// TestNothingSeenIsInvalid, and what is switched off does not count.
func TestNothingSeenIsInvalid(t *testing.T) {
	if v := Verdict(Judge(Observation{}, limits())); v != result.Invalid {
		t.Errorf("of nothing seen: %s", v)
	}
	o := healthy()
	o.Length = 0
	if v := Verdict(Judge(o, limits())); v != result.Invalid {
		t.Errorf("of warm-ups alone: %s", v)
	}
	for _, c := range Judge(Observation{}, scenario.Validity{}) {
		if Fatal(&c) {
			t.Errorf("all limits switched off: %s is %s", c.Name, c.State)
		}
	}
	o = healthy()
	o.Workers[0].RunDelay = time.Hour
	l := limits()
	l.RunDelay = 0
	c, _ := find(Judge(o, l), nameRunDelay)
	if c.State != "advice" || c.Value != 60 || !strings.Contains(c.Text, "switched off") {
		t.Errorf("switched off: %+v", c)
	}
}

// TestWorseIsNeverBetter: a run that is INVALID stays so, whatever gets worse
// besides; and no value is NaN.
func TestWorseIsNeverBetter(t *testing.T) {
	worsen := []func(o *Observation, by float64){
		func(o *Observation, by float64) { o.Sent -= min(o.Sent, uint64(by*1000)) },
		func(o *Observation, by float64) { o.Planned += uint64(by * 1000) },
		func(o *Observation, by float64) { o.Unsent += uint64(by * 3) },
		func(o *Observation, by float64) { o.Dials -= min(o.Dials, uint64(by*10)) },
		func(o *Observation, by float64) { o.ClockErrors += uint64(by * 2) },
		func(o *Observation, by float64) { o.PeakDeliveries *= 1 + by },
		func(o *Observation, by float64) { o.PeakSends *= 1 + by },
		func(o *Observation, by float64) { o.Waits = []Wait{{"http://a", uint64(by * 100), 1}} },
		func(o *Observation, by float64) { o.ClockBound += time.Duration(by * float64(ms)) },
		func(o *Observation, by float64) { o.Machines[0].PSI += by * 30 },
		func(o *Observation, by float64) { o.Machines[0].Steal += by / 5 },
		func(o *Observation, by float64) { o.Machines[0].Net["RetransSegs"] += int64(by * 100) },
		func(o *Observation, by float64) { o.Workers[0].CPU += time.Duration(by * 30e9) },
		func(o *Observation, by float64) { o.Workers[0].RunDelay += time.Duration(by * 30e9) },
		func(o *Observation, by float64) { o.Workers[0].GCPause += time.Duration(by * 10e6) },
		func(o *Observation, by float64) { o.Workers[0].Sched += time.Duration(by * 10e6) },
		func(o *Observation, by float64) { o.Workers[0].Throttled += int64(by * 2) },
		func(o *Observation, by float64) { o.Workers[0].SendLag.RecordN(int64(by*30e6), uint64(by*3000)) },
		func(o *Observation, by float64) { o.Workers[0].Hiccup.RecordN(int64(by*1e9), uint64(by*200)) },
		func(o *Observation, by float64) {
			h := tally.NewHist() // each value longer
			o.Workers[0].RxLag.Each(func(v int64, n uint64) { h.RecordN(int64(float64(v)*(1+10*by)), n) })
			o.Workers[0].RxLag = h
		},
		func(o *Observation, _ float64) { o.Workers = append(o.Workers, Worker{Index: 9, Lost: "gone"}) },
		func(o *Observation, _ float64) { o.Workers[0].CPU = Unread },
		func(o *Observation, _ float64) { o.Workers[0].RunDelay = Unread },
		func(o *Observation, _ float64) { o.Workers[0].Hiccup = nil },
		func(o *Observation, _ float64) { o.ClockBound = Unread },
	}
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		o := healthy()
		if random.IntN(2) == 0 {
			o = alone()
		}
		was := Judge(o, limits())
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			unread := o.Workers[0].CPU < 0 || o.Workers[0].RunDelay < 0 || o.ClockBound < 0 || o.Workers[0].Hiccup == nil
			which := random.IntN(len(worsen))
			if unread && which >= 8 {
				continue // there is nothing to add to
			}
			worsen[which](&o, random.Float64()*2)
			now := Judge(o, limits())
			if Verdict(was) == result.Invalid && Verdict(now) != result.Invalid {
				t.Fatalf("step %d made an INVALID run valid", which)
			}
			for _, c := range now {
				if math.IsNaN(c.Value) || math.IsInf(c.Value, 0) || math.IsNaN(c.Limit) || c.Text == "" || c.Unit == "" {
					t.Fatalf("%+v", c)
				}
			}
			was = now
		}
	})
}

// TestNamesAreUnique: results are compared by them.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Judge(healthy(), limits()) {
		if seen[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		seen[c.Name] = true
	}
	for _, name := range must {
		if !seen[name] {
			t.Errorf("%s must be made and is not", name)
		}
	}
}

// TestEveryLimitIsUsed: each field of a scenario's limits, at its strictest,
// makes the healthy run INVALID or is advice.
func TestEveryLimitIsUsed(t *testing.T) {
	fields := reflect.TypeFor[scenario.Validity]()
	for i := range fields.NumField() {
		l := limits()
		f := reflect.ValueOf(&l).Elem().Field(i)
		strict := 1e-9
		if name := fields.Field(i).Name; name == "MinRate" || name == "CeilingFactor" {
			strict = 1e9
		}
		if f.CanInt() {
			f.SetInt(1)
		} else {
			f.SetFloat(strict)
		}
		o := alone()
		o.Workers[0].RxLag = hist(6000, ms, 0, 0) // above what can be seen
		if Verdict(Judge(o, l)) != result.Invalid {
			t.Errorf("%s at its strictest changes nothing", fields.Field(i).Name)
		}
	}
}
