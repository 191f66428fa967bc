package crossnode

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"roost/bench/chaos/rig"
	"roost/loadgen/tally"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStages: counts of a histogram in the metrics, and what came since.
func TestStages(t *testing.T) {
	series := func(stage, le string) string { return stageMetric + `{stage="` + stage + `",le="` + le + `"}` }
	before := parse(rig.Metrics{series("key", "0.001"): 5, series("key", "0.002"): 5, series("key", "+Inf"): 5, "roost_other": 1})
	now := parse(rig.Metrics{
		series("key", "0.001"): 65, series("key", "0.002"): 104, series("key", "+Inf"): 105,
		series("redis", "0.001"): 0, series("redis", "0.002"): 0, series("redis", "+Inf"): 9,
		series("route", "0.001"): 0, series("route", "+Inf"): 0,
	})
	want := map[string]Stage{"key": {100, 1, 2}, "redis": {9, -1, -1}}
	if got := now.since(before); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if math.IsInf(now["key"][math.Inf(1)], 0) || now["key"][math.Inf(1)] != 105 {
		t.Errorf("%v", now)
	}
}

// TestCommands: what Redis says of its commands, and what came since.
func TestCommands(t *testing.T) {
	before := parseCommands("# Commandstats\r\ncmdstat_get:calls=5,usec=50,usec_per_call=10.00\r\n")
	now := parseCommands("# Commandstats\r\ncmdstat_get:calls=5,usec=50,usec_per_call=10.00\r\ncmdstat_evalsha:calls=200,usec=9000,usec_per_call=45.00,rejected_calls=0\r\ncmdstat_info:calls=0,usec=0\r\n")
	want := map[string]Calls{"evalsha": {2, 45}}
	got := now.since(before, 100)
	if !reflect.DeepEqual(got, want) || inScripts(got) != 90 {
		t.Errorf("%+v, want %+v; %v us in scripts", got, want, inScripts(got))
	}
}

// TestReceipt: a device's messages are timed from when they were due, those of another
// load and what makes no sense are not.
func TestReceipt(t *testing.T) {
	d := &devices{begin: time.Now().Add(-time.Second)}
	r := &receipt{number: 3, hist: tally.NewHist(), from: 500 * time.Millisecond}
	d.message(d.now(), payload(3, 0)) // no load is under way
	d.load.Store(r)
	for _, p := range []string{string(payload(3, 900*time.Millisecond)), string(payload(3, 100*time.Millisecond)), string(payload(2, 900*time.Millisecond)), "", "[3", "[3,x]", "{}"} {
		d.message(d.now(), []byte(p))
	}
	if r.count() != 2 || r.hist.Count() != 1 || time.Duration(r.hist.Max()) < 100*time.Millisecond || time.Duration(r.hist.Max()) > 5*time.Second {
		t.Errorf("%d came, %d count, the largest took %v", r.count(), r.hist.Count(), time.Duration(r.hist.Max()))
	}
}

// TestOwner: what is owned is cleaned up in reverse, whatever ends it.
func TestOwner(t *testing.T) {
	for name, end := range map[string]func(o *owner) error{
		"returns": func(*owner) error { return errors.New("x") },
		"fatal":   func(o *owner) error { o.Fatalf("x %d", 1); return nil },
		"panics":  func(*owner) error { panic("x") },
	} {
		var order, dir string
		err := own(func(o *owner) error {
			dir = o.TempDir()
			o.Cleanup(func() { order += "1" })
			o.Cleanup(func() { order += "2" })
			return end(o)
		})
		if _, gone := os.Stat(dir); err == nil || !strings.Contains(err.Error(), "x") || order != "21" || !os.IsNotExist(gone) {
			t.Errorf("%s: %v, %s, %v", name, err, order, gone)
		}
	}
}

// TestOk: a goal that is missed is an error, and so is a message that is.
func TestOk(t *testing.T) {
	h := tally.NewHist()
	h.Record(int64(2 * time.Millisecond))
	fast := tally.NewHist()
	fast.Record(int64(500 * time.Microsecond))
	for _, row := range []struct {
		o    Outcome
		want string
	}{
		{Outcome{Load: loads[0], Latency: fast}, ""},
		{Outcome{Load: loads[0], Latency: h}, "p50 2"},
		{Outcome{Load: loads[2], Latency: h}, ""},
		{Outcome{Load: loads[2], Latency: h, Missing: 3}, "3 accepted"},
	} {
		err := (&results{Outcomes: []*Outcome{&row.o}}).ok()
		if (err != nil) != (row.want != "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v, want %q", err, row.want)
		}
	}
}

// TestOptions: what cannot be.
func TestOptions(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "roostd")
	if err := os.WriteFile(binary, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	good := Options{Roostd: binary}.withDefaults()
	if err := good.validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(o *Options){
		"devices": func(o *Options) { o.Devices = 5001 },
		"length":  func(o *Options) { o.Length = time.Millisecond },
		"fsync":   func(o *Options) { o.Fsync = "yes" },
		"only":    func(o *Options) { o.Only = []string{"x"} },
		"binary":  func(o *Options) { o.Roostd += "x" },
	} {
		o := good
		if change(&o); o.validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
