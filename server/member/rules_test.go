package member

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"roost/decay"
	"roost/server/admission"
	"roost/server/cluster"
	"roost/server/presence"
)

// viewOf is a view of members with weights.
func viewOf(revision int64, weights map[string]cluster.Weight) *cluster.View {
	v := &cluster.View{Revision: revision, Members: map[string]cluster.Member{}, Weights: weights, Config: map[string]cluster.Entry{}}
	for id := range weights {
		v.Members[id] = cluster.Member{ID: id, Start: 1, Capacity: 10_000}
	}
	return v
}

// saying is a weight with inputs.
func saying(t *testing.T, revision int64, value float64, at time.Time, in cluster.Inputs) cluster.Weight {
	t.Helper()
	b, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return cluster.Weight{Value: value, Inputs: b, At: at, Revision: revision}
}

// TestSkew: clocks are compared by what was seen to come, and the median counts.
func TestSkew(t *testing.T) {
	var p peers
	now := time.Now()
	weights := func(revision int64, ahead map[string]time.Duration) map[string]cluster.Weight {
		m := map[string]cluster.Weight{}
		for id, by := range ahead {
			m[id] = saying(t, revision, 1, now.Add(by), cluster.Inputs{})
		}
		return m
	}
	look := func(revision int64, ahead map[string]time.Duration) {
		if err := p.update(viewOf(revision, weights(revision, ahead)), now); err != nil {
			t.Fatal(err)
		}
	}
	look(1, map[string]time.Duration{"a": time.Hour, "b": time.Hour})
	if d, known := p.skew("me", now); known {
		t.Errorf("what was there before says nothing of when it came: %v", d)
	}
	for _, tt := range []struct {
		ahead map[string]time.Duration
		want  time.Duration
		known bool
	}{
		{map[string]time.Duration{"me": time.Hour}, 0, false},
		{map[string]time.Duration{"a": 0, "b": time.Hour}, 0, true},
		{map[string]time.Duration{"a": time.Hour, "b": time.Hour}, -time.Hour, true},
		{map[string]time.Duration{"a": -3 * time.Minute, "b": -4 * time.Minute, "c": 0, "me": time.Hour}, 3 * time.Minute, true},
	} {
		now = now.Add(time.Second)
		look(now.UnixNano(), tt.ahead)
		if d, known := p.skew("me", now); d != tt.want || known != tt.known {
			t.Errorf("%v: %v, %v; want %v, %v", tt.ahead, d, known, tt.want, tt.known)
		}
	}
	if _, known := p.skew("me", now.Add(skewFor)); known {
		t.Error("what was heard a minute ago still counts")
	}
	bad := viewOf(9, map[string]cluster.Weight{"a": {Value: 1, Inputs: json.RawMessage(`[`), Revision: 9}})
	if err := p.update(bad, now); err == nil || p.get("a") == nil {
		t.Errorf("inputs that cannot be read: %v, %+v", err, p.get("a"))
	}
}

// TestAccept: what a node says of its budget is bounded.
func TestAccept(t *testing.T) {
	var p peers
	for said, want := range map[float64]float64{0: admission.UsualBudget, -5: admission.UsualBudget, 1: admission.LeastBudget, 500: 500, 1e9: admission.MostBudget} {
		v := viewOf(int64(said)+10, map[string]cluster.Weight{"a": saying(t, int64(said)+10, 1, time.Now(), cluster.Inputs{Accept: said})})
		if err := p.update(v, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := p.accept("a"); got != want {
			t.Errorf("%v: %v, want %v", said, got, want)
		}
	}
	if got := p.accept("nobody"); got != admission.UsualBudget {
		t.Errorf("of nobody: %v", got)
	}
}

// TestWeigher: a node by itself has its capacity; in an even cluster everybody keeps it; the
// hot one comes down step by step, the others go up, and one that is gone, or drains, counts
// no more.
func TestWeigher(t *testing.T) {
	w, err := newWeigher("me", decay.Settings{}, DefaultControl())
	if err != nil {
		t.Fatal(err)
	}
	sample := func(devices, cpu float64) cluster.Inputs {
		n := int(devices)
		return cluster.Inputs{Connections: &n, Load: &cluster.Load{CPU: &cpu}}
	}
	now, revision := time.Duration(0), int64(0)
	turn := func(times int, mine float64, theirs map[string]float64) (weight float64) {
		for range times {
			now, revision = now+time.Second, revision+1
			in := sample(5000, mine)
			list := []standing{{id: "me", start: 1, capacity: 10_000, revision: revision, sample: sampleOf(&in), sampled: true}}
			for id, cpu := range theirs {
				in := sample(5000, cpu)
				list = append(list, standing{id: id, start: 1, capacity: 10_000, revision: revision, sample: sampleOf(&in), sampled: true})
			}
			for i := range list {
				list[i].sample.At = now
			}
			if weight, err = w.step(now, list, false); err != nil {
				t.Fatal(err)
			}
		}
		return weight
	}
	if got := turn(1200, 50, nil); got != 10_000 {
		t.Errorf("alone: %v", got)
	}
	if got := turn(1200, 50, map[string]float64{"a": 50, "b": 50}); got != 10_000 {
		t.Errorf("all even: %v", got)
	}
	last := 10_000.0
	for range 6 {
		got := turn(600, 90, map[string]float64{"a": 40, "b": 40})
		if got > last || last-got > 0.1*last+1 {
			t.Errorf("the hot one went from %v to %v", last, got)
		}
		last = got
	}
	if last > 9_500 || last < 2_500 {
		t.Errorf("the hot one has %v after an hour", last)
	}
	if text := string(w.explain(last, 1, "")); !strings.Contains(text, "me at") || !json.Valid([]byte(text)) {
		t.Errorf("it explains itself: %s", text)
	}
	turn(1, 50, nil)
	if w.p.Len() != 1 || len(w.nodes) != 1 {
		t.Errorf("of those that are gone %d are left", w.p.Len()-1)
	}

	v := viewOf(1, map[string]cluster.Weight{"me": {Value: 5}, "full": {Value: 5, Revision: 3}, "drains": {Value: 0, Revision: 4}})
	v.Members["new"] = cluster.Member{ID: "new", Start: 9}
	var p peers
	if err := p.update(v, time.Now()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]standing{}
	for _, s := range others(v, &p, "me", 777, func(time.Time) time.Duration { return 0 }) {
		ids[s.id] = s
	}
	if len(ids) != 2 || !ids["full"].sampled || ids["new"].sampled || ids["new"].capacity != 777 || ids["new"].start != 9 {
		t.Errorf("the others: %+v", ids)
	}
}

// TestWeightOf: whole devices, hundredths of the factor, and 0 only for 0.
func TestWeightOf(t *testing.T) {
	for _, tt := range []struct{ live, factor, want float64 }{
		{10_000, 1, 10_000}, {10_000.4, 1, 10_000}, {10_000, 0.1, 1000}, {10_000, 0.5049, 5000}, {10_000, 0.004, 1}, {10_000, 0, 0}, {0, 1, 0}, {0.2, 1, 1}, {-1, 1, 0},
	} {
		if got := weightOf(tt.live, tt.factor); got != tt.want || math.Signbit(got) {
			t.Errorf("%v x %v: %v, want %v", tt.live, tt.factor, got, tt.want)
		}
	}
}

// TestMark: what cannot wait changes the mark, and nothing else does.
func TestMark(t *testing.T) {
	yes, no, n := true, false, 5
	a := cluster.Inputs{Ring: &cluster.HeldRing{Activation: 1, Hash: 2}, Redis: &yes, Connections: &n, Accept: 100}
	same := a
	same.Accept, same.Connections = 300, nil
	if mark(&a) != mark(&same) {
		t.Error("what can wait changes it")
	}
	for name, b := range map[string]cluster.Inputs{
		"another ring":       {Ring: &cluster.HeldRing{Activation: 1, Hash: 3}, Redis: &yes},
		"another activation": {Ring: &cluster.HeldRing{Activation: 2, Hash: 2}, Redis: &yes},
		"a canary":           {Ring: &cluster.HeldRing{Activation: 1, Hash: 2, CanaryHash: 1}, Redis: &yes},
		"no Redis":           {Ring: a.Ring, Redis: &no},
		"a drain":            {Ring: a.Ring, Redis: &yes, Drain: &cluster.DrainProgress{Left: 3}},
	} {
		if mark(&a) == mark(&b) {
			t.Errorf("%s does not change it", name)
		}
	}
}

// TestOrders: when a drain begins, changes and ends.
func TestOrders(t *testing.T) {
	now := time.Now()
	order := func(revision int64, value string) *cluster.View {
		v := viewOf(5, nil)
		if value != "" {
			v.Config["drain/me"] = cluster.Entry{Value: []byte(value), Revision: revision}
		}
		return v
	}
	one := `{"over_ms":60000,"by":"ops","why":"disk"}`
	draining := &drainState{Revision: 7, Over: time.Minute, Since: now.Add(-time.Minute), Began: 50}
	leaving := &drainState{Leaving: true}
	stale := order(0, "")
	stale.Stale = now
	unread := order(0, "")
	unread.Revision = 0
	for _, tt := range []struct {
		name  string
		v     *cluster.View
		was   *drainState
		over  time.Duration // of what begins; 0 is nothing
		stay  bool
		wrong bool
	}{
		{"nothing", order(0, ""), nil, 0, false, false},
		{"an order", order(7, one), nil, time.Minute, false, false},
		{"the same again", order(7, one), draining, 0, false, false},
		{"another time", order(8, `{"over_ms":5000}`), draining, 5 * time.Second, false, false},
		{"taken back", order(0, ""), draining, 0, true, false},
		{"etcd is away", stale, draining, 0, false, false},
		{"nothing was listed yet", unread, draining, 0, false, false},
		{"it leaves", order(7, one), leaving, 0, false, false},
		{"it leaves, and no order", order(0, ""), leaving, 0, false, false},
		{"spoilt", order(9, "{"), nil, unreadableOver, false, true},
		{"spoilt, the same again", order(7, "{"), draining, 0, false, true},
	} {
		begin, stay, err := orders(tt.v, "me", tt.was, now)
		over := time.Duration(0)
		if begin != nil {
			over = begin.Over
		}
		if over != tt.over || stay != tt.stay || (err != nil) != tt.wrong && tt.over != 0 {
			t.Errorf("%s: %+v, %v, %v", tt.name, begin, stay, err)
		}
		if begin != nil && tt.was != nil && (begin.Since != tt.was.Since || begin.Began != tt.was.Began) {
			t.Errorf("%s: it begins anew: %+v", tt.name, begin)
		}
	}
	if begin, _, _ := orders(order(7, one), "me", nil, now); begin.Why != "drained by ops: disk" || begin.Since != now {
		t.Errorf("%+v", begin)
	}
}

// TestLeases: who is registered, as which start, and since when not.
func TestLeases(t *testing.T) {
	var l leases
	began := time.Now()
	of := func(node string, start uint64) (presence.Lease, time.Time) {
		return l.of(presence.Owner{Node: node, Incarnation: start}, false)
	}
	if got, _ := of("a", 1); got != presence.LeaseUnknown {
		t.Errorf("before any view: %v", got)
	}
	view := func(starts map[string]int64) *cluster.View {
		v := viewOf(1, nil)
		for id, start := range starts {
			v.Members[id] = cluster.Member{ID: id, Start: start}
		}
		return v
	}
	l.update(&cluster.View{}, began)
	l.update(view(map[string]int64{"a": 1, "b": 2, "old": 0}), began)
	l.update(view(map[string]int64{"a": 1, "b": 3, "old": 0}), began.Add(time.Second))
	l.update(view(map[string]int64{"b": 3, "old": 0}), began.Add(2*time.Second))
	for _, tt := range []struct {
		node  string
		start uint64
		want  presence.Lease
		since time.Duration
	}{
		{"b", 3, presence.LeaseHeld, 0},
		{"b", 2, presence.LeaseGone, time.Second},
		{"a", 1, presence.LeaseGone, 2 * time.Second},
		{"never", 1, presence.LeaseGone, 0},
		{"a", 0, presence.LeaseGone, 0},
		{"old", 5, presence.LeaseUnknown, 0}, // a build that does not say its start
	} {
		got, since := of(tt.node, tt.start)
		if got != tt.want || got == presence.LeaseGone && since.Sub(began) != tt.since {
			t.Errorf("%s:%d: %v since %v, want %v since %v", tt.node, tt.start, got, since.Sub(began), tt.want, tt.since)
		}
	}
	if got, _ := l.of(presence.Owner{Node: "b", Incarnation: 3}, true); got != presence.LeaseUnknown {
		t.Errorf("etcd is not heard: %v", got)
	}
	l.update(view(map[string]int64{"a": 1, "b": 3}), began.Add(3*time.Second))
	if got, _ := of("a", 1); got != presence.LeaseHeld {
		t.Errorf("a is back: %v", got)
	}
	book := l.now.Load()
	for i := range maxGone {
		book.gone[presence.Owner{Node: "x", Incarnation: uint64(i)}] = began.Add(time.Minute)
	}
	l.update(view(map[string]int64{"x": 1}), began.Add(time.Minute))
	if n := len(l.now.Load().gone); n > maxGone {
		t.Errorf("%d departures are remembered", n)
	}
	l.update(view(nil), began.Add(2*time.Minute+keepGone))
	if n := len(l.now.Load().gone); n > 1 {
		t.Errorf("an hour later %d are remembered", n)
	}
}

// TestAlone: whether anybody else could own anything.
func TestAlone(t *testing.T) {
	v := viewOf(1, map[string]cluster.Weight{"me": {Value: 0}, "drains": {Value: 0}})
	if !alone(v, "me") {
		t.Error("another one that drains is nobody")
	}
	v.Members["new"] = cluster.Member{ID: "new"}
	if alone(v, "me") {
		t.Error("one that has not said its weight is somebody")
	}
	v.Stale = time.Now()
	if !alone(v, "me") {
		t.Error("a view of the past is worth no wait")
	}
}
