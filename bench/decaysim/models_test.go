package decaysim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/bench/stats"
)

// TestRunModels: a small comparison has a report with a row for each model,
// raw results and pictures.
func TestRunModels(t *testing.T) {
	o := ModelsOptions{Out: t.TempDir(), Requests: 1000, Quick: true, Command: []string{"bench", "decay"}}
	var shown bytes.Buffer
	if err := RunModels(t.Context(), o, &shown); err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(filepath.Join(o.Out, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models {
		if !strings.Contains(string(report), "\n| "+m.Name+" | ") {
			t.Errorf("the report has no row for %s", m.Name)
		}
	}
	for _, c := range o.withDefaults().cases() {
		if !strings.Contains(string(report), "\n| "+c.Name+" | ") {
			t.Errorf("the report has no row for %s", c.Name)
		}
	}
	if !strings.HasPrefix(shown.String(), string(report)) {
		t.Error("what is shown is not the report")
	}
	for _, name := range []string{"estimates.svg", "p95.svg"} {
		svg, err := os.ReadFile(filepath.Join(o.Out, name))
		if err != nil || !bytes.Contains(svg, []byte("window, newest slots")) {
			t.Errorf("%s: %v, %d bytes", name, err, len(svg))
		}
	}
	var raw []loadCase
	data, err := os.ReadFile(filepath.Join(o.Out, "runs", "outcomes.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &raw); err != nil || len(raw) != len(o.withDefaults().cases()) {
		t.Errorf("%d cases in outcomes.json: %v", len(raw), err)
	}
}

// TestDecayCasesRepeat: the same options give the same results.
func TestDecayCasesRepeat(t *testing.T) {
	cases := ModelsOptions{Requests: 1000, Quick: true}.withDefaults().cases()
	for _, c := range []loadCase{cases[0], cases[len(cases)-1]} {
		again := loadCase{Name: c.Name, Load: c.Load}
		for _, x := range []*loadCase{&c, &again} {
			if err := x.run(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(c.Outcomes, again.Outcomes) {
			t.Errorf("%s comes out otherwise the second time", c.Name)
		}
	}
}

func TestModelsOptions(t *testing.T) {
	for _, o := range []ModelsOptions{{Rate: -1}, {Rate: math.NaN()}, {Rate: math.Inf(1)}, {Places: -1}, {Requests: -1}, {Seeds: -1}, {Requests: 1e9}} {
		o.Out = t.TempDir()
		if err := RunModels(t.Context(), o, io.Discard); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := RunModels(ctx, ModelsOptions{Out: t.TempDir(), Quick: true}, io.Discard); err == nil {
		t.Error("goes on when stopped")
	}
}

// small is a load of 20 s.
func small(factor float64, burst time.Duration) load {
	l := ModelsOptions{Requests: 20000}.withDefaults().mainLoad()
	l.Factor, l.Burst, l.Seed = factor, burst, 1
	return l
}

// TestDrawnLoad: arrivals ascend and have the rates and service times asked for.
func TestDrawnLoad(t *testing.T) {
	l := small(3, time.Second)
	x := l.draw()
	if !slices.IsSorted(x.arrival) || len(x.arrival)-x.first != l.Requests || x.arrival[x.first] < l.WarmUp || x.arrival[x.first-1] >= l.WarmUp {
		t.Fatalf("%d requests from %d, %v", len(x.arrival), x.first, x.arrival[x.first])
	}
	var n, seconds [2]float64
	for i := x.first; i < len(x.arrival); i++ {
		n[min(l.inBurst(x.arrival[i])+1, 1)]++
	}
	for at := l.WarmUp; at < x.arrival[len(x.arrival)-1]; at += time.Millisecond {
		seconds[min(l.inBurst(at)+1, 1)] += 0.001
	}
	for i, want := range []float64{l.Rate, 3 * l.Rate} {
		if got := n[i] / seconds[i]; math.Abs(got/want-1) > 0.05 {
			t.Errorf("%.0f requests/s: want %.0f", got, want)
		}
	}
	var service float64
	for _, s := range x.service {
		service += s.Seconds() / float64(len(x.service))
	}
	if math.Abs(service/l.Service.Seconds()-1) > 0.01 {
		t.Errorf("mean service time %v: want %v", service, l.Service)
	}
}

func TestBurstTimes(t *testing.T) {
	l := small(2, 100*time.Millisecond)
	first := l.WarmUp + l.Every/2
	for _, c := range []struct {
		t     time.Duration
		burst int
		since bool
	}{
		{0, -1, false}, {l.Every / 2, -1, false}, {l.WarmUp, -1, false}, {first - 1, -1, false},
		{first, 0, true}, {first + 100*time.Millisecond - 1, 0, true}, {first + 100*time.Millisecond, -1, true},
		{first + 1100*time.Millisecond - 1, -1, true}, {first + 1100*time.Millisecond, -1, false},
		{first + 3*l.Every, 3, true},
	} {
		if got := l.inBurst(c.t); got != c.burst {
			t.Errorf("%v lies in burst %d: want %d", c.t, got, c.burst)
		}
		if got := l.burstSince(c.t, time.Second); got != c.since {
			t.Errorf("a burst in the second before %v: %v", c.t, got)
		}
	}
	if l.burst(3) != first+3*l.Every {
		t.Errorf("burst 3 begins at %v", l.burst(3))
	}
	l.Factor = 1
	if l.inBurst(first) >= 0 || l.burstSince(first, time.Second) {
		t.Error("bursts without a factor")
	}
}

// TestCalmTime: false alarms are counted per time in which there can be any.
func TestCalmTime(t *testing.T) {
	for _, burst := range []time.Duration{100 * time.Millisecond, 2 * time.Second, 10 * time.Second} {
		l := small(2, burst)
		for _, end := range []time.Duration{0, l.Every/2 + 50*time.Millisecond, 7 * time.Second, 20 * time.Second} {
			want := time.Duration(0)
			for at := l.WarmUp; at < l.WarmUp+end; at += time.Millisecond {
				if !l.burstSince(at, time.Second) {
					want += time.Millisecond
				}
			}
			if got := l.calm(l.WarmUp+end, time.Second); (got - want).Abs() > 10*time.Millisecond {
				t.Errorf("bursts of %v: %v of %v are calm, want %v", burst, got, end, want)
			}
		}
	}
	// Above the target from the warm-up on, but for every second request of calm.
	l := small(2, 2*time.Second)
	x := l.draw()
	o := replay(x, &flicker{high: 1.01 * l.target()})
	want := 0.5 * l.Rate * 60
	if math.Abs(o.Alarms/want-1) > 0.05 {
		t.Errorf("%.0f alarms a minute of calm, want %.0f: every second request", o.Alarms, want)
	}
}

// flicker is over the target at every second request.
type flicker struct {
	high float64
	on   bool
}

func (f *flicker) arrive(time.Duration) {}
func (f *flicker) rate(time.Duration) float64 {
	f.on = !f.on
	if f.on {
		return f.high
	}
	return 1
}

// TestReplayAtRest: a server with room and no limiter takes the service time, and
// nothing is shed.
func TestReplayAtRest(t *testing.T) {
	l := small(1, 0)
	l.Places, l.ServiceSD = 1000, 0
	o := replay(l.draw(), newFixedModel(0)(l))
	if o.Shed != 0 || o.Alarms != 0 || len(o.Seen) != 0 || o.Bursts != 0 || len(o.P95) < 15 {
		t.Errorf("%+v", o)
	}
	for _, v := range o.P95 {
		if math.Abs(v-l.Service.Seconds()*1e3) > 0.01 {
			t.Fatalf("P95 %v ms: want the service time of %v", v, l.Service)
		}
	}
}

// TestReplaySheds: while the estimate is twice the target every second request is
// shed, by either limiter of a model that is told.
func TestReplaySheds(t *testing.T) {
	l := small(1, 0)
	if o := replay(l.draw(), newFixedModel(2*l.target())(l)); math.Abs(o.Shed-0.5) > 1e-3 || o.ShedCalm != o.Shed {
		t.Errorf("shed %v: want half", o.Shed)
	}
	l.Hard = true
	if o := replay(l.draw(), newFixedModel(2*l.target())(l)); o.Shed != 1 || len(o.P95) != 0 || o.Jitter != 0 {
		t.Errorf("a hard limit sheds %v: want all", o.Shed)
	}
}

// TestModelsSeeBursts: bursts are seen when the formulas say. The window's count has
// a standard deviation of 35, which is 29 ms of a burst of twice the rate.
func TestModelsSeeBursts(t *testing.T) {
	l := small(2, 500*time.Millisecond)
	x := l.draw()
	over := (l.target()/l.Rate - 1) / (l.Factor - 1)
	for name, want := range map[string]float64{
		"window 20 x 50 ms":    1e3 * over,
		"decay 2/s":            -1e3 * math.Log1p(-over) / 2,
		"window, newest slots": 45,
		"true rate":            1,
	} {
		o := replay(x, modelNamed(name).make(l))
		if got := stats.Summarize(o.Seen); got.N != o.Bursts || o.Bursts < 3 || math.Abs(got.Median-want) > 60 {
			t.Errorf("%s: %d of %d bursts seen after %v ms: want %.0f", name, got.N, o.Bursts, got, want)
		}
	}
	for _, name := range []string{"decay 0.1/s", "window, then decay 30 s", "no limiter"} {
		if o := replay(x, modelNamed(name).make(l)); len(o.Seen) != 0 || o.On != 0 || o.Shed != 0 {
			t.Errorf("%s has seen bursts: %+v", name, o)
		}
	}
	// What the comparison found: the newest slots keep P95 even, the whole window
	// does not.
	newest, whole := replay(x, modelNamed("window, newest slots").make(l)), replay(x, modelNamed("window 20 x 50 ms").make(l))
	if newest.Jitter > whole.Jitter/4 {
		t.Errorf("jitter of the newest slots %v, of the window %v", newest.Jitter, whole.Jitter)
	}
}

// TestSteadyModels: every model comes to the rate of an even load.
func TestSteadyModels(t *testing.T) {
	l := small(1, 0)
	for _, m := range models {
		if m.Name == "no limiter" {
			continue
		}
		model := m.make(l)
		var now time.Duration
		for ; now < 200*time.Second; now += time.Second / 1200 {
			model.arrive(now)
			model.rate(now)
		}
		if got := model.rate(now); math.Abs(got/1200-1) > 0.01 {
			t.Errorf("%s: %v, want 1200", m.Name, got)
		}
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for p, want := range map[float64]float64{0: 1, 0.1: 1, 0.11: 2, 0.5: 5, 0.9: 9, 0.95: 10, 1: 10} {
		if got := quantile(v, p); got != want {
			t.Errorf("quantile %v: %v, want %v", p, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("quantile of nothing")
	}
	if mean, sd := meanAndSD([]float64{2, 4}); mean != 3 || sd != 1 {
		t.Errorf("mean %v, sd %v", mean, sd)
	}
	if mean, sd := meanAndSD(nil); mean != 0 || sd != 0 {
		t.Error("mean of nothing")
	}
}
