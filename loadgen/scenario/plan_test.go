package scenario

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/loadgen/plan"
)

// planned is the arrival as package plan takes it.
func planned(a Arrival) plan.Arrival {
	return plan.Arrival{Kind: string(a.Kind), Rate: a.Rate, To: a.To, Steps: a.Steps, At: a.At, For: a.For, Times: a.Times, Loop: a.Loop, Burst: a.Burst}
}

// TestPlannedIsWhatIsWalked: the formulas agree with the walk that workers
// take, to one due time and its burst.
func TestPlannedIsWhatIsWalked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.5, 200)
		length := time.Duration(rapid.IntRange(1, 30_000).Draw(t, "ms")) * time.Millisecond
		a := Arrival{Kind: rapid.SampledFrom([]ArrivalKind{Constant, Linear, Step, Spike, Replay, AtOnce}).Draw(t, "kind"), Burst: rapid.IntRange(1, 3).Draw(t, "burst"),
			Rate: rate.Draw(t, "rate"), To: rate.Draw(t, "to"), Steps: rapid.SliceOfN(rate, 1, 5).Draw(t, "steps"),
			At: length / 4, For: length / 3, Times: []time.Duration{0, length / 9, length / 5}, Loop: rapid.Bool().Draw(t, "loop")}
		at := time.Duration(rapid.Float64Range(0, 1.2).Draw(t, "at") * float64(length))
		walk := plan.NewArrivals(planned(a), length, 1)
		walked := 0
		for due, ok := walk.Next(); ok && due < at; due, ok = walk.Next() {
			walked++
		}
		slack := 1.01 * float64(a.Burst)
		if a.Kind == Step {
			slack *= float64(len(a.Steps))
		}
		if got := a.Planned(at, length); math.Abs(got-float64(walked)) > slack {
			t.Fatalf("%+v: %v planned before %v of %v, %d walked", a, got, at, length, walked)
		}
	})
}

func TestPlan(t *testing.T) {
	s := parse(t, `
clients: {count: 1000}
target: {url: "ws://127.0.0.1:8080/v1/connect,ws://127.0.0.2:8080/v1/connect"}
topics: {count: 10, per_client: 2}
reconnect: {policy: full_jitter, base: 2s}
phases:
  - {name: ramp, ramp: {to: 500, rate: 100/s}, publish: {to: all, rate: 10/s}, for: 10s}
  - {name: more, ramp: {rate: 250/s}}
  - name: hold
    for: 10s
    publish:
      - {to: all, rate: 2/s, burst: 3}
      - {to: node, rate: 4/s}
      - {to: topic, rate: 5/s, arrival: poisson}
      - {to: device, rate: 100/s}
  - {name: spike, publish: {to: all, arrival: {spike: {rate: 1/s, to: 50/s, at: 5s, for: 1s}}}, for: 10s}
  - {name: churn, churn: {rate: 30/s}, for: 10s}
  - {name: storm, storm: {share: 40%}}
  - {name: drain, drain: {to: 100, over: 9s}, publish: {to: all, rate: 1/s}}
  - {name: rest, publish: {to: device, rate: 100/s}, for: 1s}
`, ParseOptions{})
	p := s.Plan()
	for i, want := range []PhasePlan{
		// 5 s of growth from 0 to 500 at 10/s are 12,500; 5 s at 500 are 25,000.
		{Name: "ramp", Length: 10 * time.Second, To: 500, Dials: 500, Messages: 100, Deliveries: 37_500, DialRate: 100, SendRate: 10, DeliveryRate: 5000},
		{Name: "more", Length: 2 * time.Second, Open: true, From: 500, To: 1000, Dials: 500, DialRate: 250},
		// A second: 6 to 1000, 4 to 500, 5 to 200 (1000 x 2 / 10), 100 to one.
		{Name: "hold", Length: 10 * time.Second, From: 1000, To: 1000, Messages: 1150, Deliveries: 91_000, SendRate: 115, DeliveryRate: 9100},
		{Name: "spike", Length: 10 * time.Second, From: 1000, To: 1000, Messages: 59, Deliveries: 59_000, SendRate: 50, DeliveryRate: 50_000},
		{Name: "churn", Length: 10 * time.Second, From: 1000, To: 1000, Dials: 300, DialRate: 30},
		{Name: "storm", Length: time.Second, Open: true, From: 1000, To: 1000, Dials: 400, DialRate: 400},
		{Name: "drain", Length: 9 * time.Second, Open: true, From: 1000, To: 100, Messages: 9, Deliveries: 4950, SendRate: 1, DeliveryRate: 950},
		{Name: "rest", Length: time.Second, From: 100, To: 100, Messages: 100, Deliveries: 100, SendRate: 100, DeliveryRate: 100},
	} {
		got := p.Phases[i]
		got.Start = 0
		round := func(x float64) float64 { return math.Round(1e6*x) / 1e6 }
		got.DialRate, got.SendRate, got.DeliveryRate = round(got.DialRate), round(got.SendRate), round(got.DeliveryRate)
		want.RequestRate, got.RequestRate = want.SendRate, round(got.RequestRate) // one message in each
		if got != want {
			t.Errorf("phase %d is %+v, want %+v", i, got, want)
		}
	}
	if p.Length != 53*time.Second || p.MaxConnections != 1000 || p.TotalDials != 1700 || p.TotalMessages != 1418 || p.ExpectedDeliveries != 192_550 ||
		math.Round(p.PeakDialRate) != 400 || math.Round(p.PeakSendRate) != 115 || math.Round(p.PeakDeliveryRate) != 50_000 {
		t.Errorf("%+v", p)
	}
}

// TestRampAtOnce: everything is dialled in the first second.
func TestRampAtOnce(t *testing.T) {
	s := parse(t, "phases: [{name: ramp, ramp: {arrival: at_once}}, {name: hold, for: 1m}]", ParseOptions{})
	if p := s.Plan(); p.TotalDials != 1000 || p.PeakDialRate != 1000 || p.Length != 61*time.Second {
		t.Errorf("%+v", p)
	}
}

// TestLongRunsArePlannedQuickly: a week has as many steps as an hour.
func TestLongRunsArePlannedQuickly(t *testing.T) {
	s := parse(t, "phases: [{name: ramp, ramp: {}}, {name: hold, publish: {to: device, rate: 100/s}, for: 6d}]", ParseOptions{})
	if p := s.Plan(); p.TotalMessages != 6*86400*100 || math.Abs(p.PeakSendRate-100) > 1e-6 {
		t.Errorf("%+v", p)
	}
}

// TestSubscribersPerTopic compares the estimate with a draw: every client draws
// until it has so many different topics.
func TestSubscribersPerTopic(t *testing.T) {
	for _, c := range []struct {
		topics, perClient int
		zipf              float64
	}{{10, 2, 0}, {10, 10, 1}, {100, 3, 1.1}, {2000, 5, 0.8}, {5000, 2, 2}} {
		const clients = 2000
		s := Scenario{Clients: Clients{Count: clients}, Topics: Topics{Count: c.topics, PerClient: c.perClient, Zipf: c.zipf}}
		zipf := plan.NewZipf(c.topics, c.zipf, 7)
		subscribers := make([]float64, c.topics)
		for i := range clients {
			for _, topic := range zipf.AppendTopics(nil, uint32(i), c.perClient) {
				subscribers[topic]++
			}
		}
		const messages = 200_000
		got := 0.0
		for k := range uint64(messages) {
			got += subscribers[zipf.Topic(k)]
		}
		got /= messages
		if want := s.perTopic(); math.Abs(got-want) > 0.06*want {
			t.Errorf("%+v: %.1f subscribers are drawn, %.1f expected", c, got, want)
		}
	}
}

// TestBurstsAreInOneSecond, however seldom they come.
func TestBurstsAreInOneSecond(t *testing.T) {
	p := parse(t, `
clients: {count: 100}
phases:
  - {name: ramp, ramp: {rate: 1000/s}}
  - {name: seldom, publish: [{rate: 0.1/s, burst: 50}, {rate: 20/s}], for: 30s}
  - {name: often, publish: {rate: 10/s, burst: 50}, for: 30s}
`, ParseOptions{}).Plan()
	for i, want := range []float64{0, 70, 500} {
		if got := p.Phases[i]; got.SendRate != want || got.DeliveryRate != 100*want {
			t.Errorf("phase %s: %v sent and %v delivered a second, want %v", got.Name, got.SendRate, got.DeliveryRate, want)
		}
	}
}

// TestRequestsArePlanned: what publishing costs a worker is requests.
func TestRequestsArePlanned(t *testing.T) {
	p := parse(t, "phases: [{name: ramp, ramp: {}}, {name: hold, publish: [{to: device, class: kept, rate: 5/s, batch: 100}, {rate: 7/s}], for: 10s}]", ParseOptions{}).Plan()
	if p.PeakSendRate != 507 || p.PeakRequestRate != 12 {
		t.Errorf("%v messages in %v requests a second, want 507 in 12", p.PeakSendRate, p.PeakRequestRate)
	}
}
