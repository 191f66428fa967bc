package dawn

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// genRecord is any record that is allowed.
func genRecord(t *rapid.T) Record {
	r := Record{
		Date: 20260314, Environment: "production", Step: rapid.IntRange(1, 1000).Draw(t, "step"),
		Holder: rapid.StringN(1, 20, 64).Draw(t, "holder"), Life: rapid.Uint64().Draw(t, "life"), Fence: rapid.Int64Range(1, 1<<62).Draw(t, "fence"),
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "openings") {
		e := Entry{
			Opening: genOpening(t), Stage: Stage(rapid.IntRange(0, int(Skipped)).Draw(t, "stage")),
			Postponed: rapid.IntRange(0, 9).Draw(t, "postponed"), Reason: rapid.String().Draw(t, "reason"),
		}
		e.Window = fmt.Sprint("w", i)
		e.Nodes = Group{IDs: []string{"*"}, Labels: map[string]string{"rack": rapid.SampledFrom([]string{"r?", "s?"}).Draw(t, "rack")}}
		r.Entries = append(r.Entries, e)
	}
	return r
}

// newRecord is a record of a night as it is made at now.
func newRecord(n *Night, now time.Time) Record {
	r, _ := Record{}.admit(n, now, true)
	return r
}

func TestCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord(t)
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRecord(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if !reflect.DeepEqual(got, r) {
			t.Fatalf("%+v\nbecomes\n%+v", r, got)
		}
		// Cut or spoiled in one byte it is refused, or is another record that is
		// allowed; it never panics.
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if got, err := DecodeRecord(b); err == nil && got.Validate() != nil {
			t.Fatalf("%s is read as %+v", b, got)
		}
		if _, err := DecodeRecord(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); err == nil {
			t.Fatal("a record that is cut is read")
		}
	})
}

// goldenRecord is what stands in the store: what is written is still read when
// the code has changed.
const goldenRecord = `{"version":1,"date":"20260314","environment":"production","step":2,"holder":"n1","life":7,"fence":41,"groups":[{"zones":["eu-*"]}],"openings":[` +
	`{"window":"given","stage":"falling","reason":"there is room","postponed":1,"begin":"2026-03-14T01:40:00Z","start":"2026-03-14T02:00:00Z","end":"2026-03-14T04:00:00Z",` +
	`"shape":"linear","floor":0.1,"lead":"30m0s","recovery":"15m0s","group":0}]}`

func TestGoldenRecord(t *testing.T) {
	o := given(Linear)
	o.Nodes, o.Begin = Group{Zones: []string{"eu-*"}}, o.Begin.Add(10*time.Minute)
	want := Record{
		Date: 20260314, Environment: "production", Step: 2, Holder: "n1", Life: 7, Fence: 41,
		Entries: []Entry{{Opening: o, Stage: Falling, Postponed: 1, Reason: "there is room"}},
	}
	got, err := DecodeRecord([]byte(goldenRecord))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if b, err := want.Encode(); err != nil || string(b) != goldenRecord {
		t.Errorf("%s, %v", b, err)
	}
	// A later writer of the same version may add fields.
	if _, err := DecodeRecord([]byte(strings.Replace(goldenRecord, `"step"`, `"colour":"red","step"`, 1))); err != nil {
		t.Error(err)
	}
}

func TestCodecErrors(t *testing.T) {
	for _, test := range []struct {
		name, old, new string
		is             error
	}{
		{"newer", `"version":1`, `"version":2`, ErrNewer},
		{"version 0", `"version":1`, `"version":0`, ErrRecord},
		{"version below", `"version":1`, `"version":-3`, ErrRecord},
		{"date", "20260314", "20260230", ErrRecord},
		{"environment", "production", "", ErrRecord},
		{"step", `"step":2`, `"step":0`, ErrRecord},
		{"holder", `"n1"`, `""`, ErrRecord},
		{"fence", `"fence":41`, `"fence":-1`, ErrRecord},
		{"stage", "falling", "fallen", ErrRecord},
		{"shape", "linear", "round", ErrRecord},
		{"floor", `"floor":0.1`, `"floor":1e999`, ErrRecord},
		{"lead", "30m0s", "soon", ErrRecord},
		{"recovery", "15m0s", "-15m0s", ErrRecord},
		{"time", "2026-03-14T04:00:00Z", "2026-03-14T04:00:00", ErrRecord},
		{"group", `{"zones":["eu-*"]}`, `{}`, ErrRecord},
		{"group beyond", `"group":0`, `"group":1`, ErrRecord},
		{"group below", `"group":0`, `"group":-1`, ErrRecord},
		{"postponed", `"postponed":1`, `"postponed":-1`, ErrRecord},
		{"aborted", `"postponed":1`, `"aborted":7`, ErrRecord},
		{"late", "T01:40", "T03:31", ErrRecord},
		{"no openings", `"openings":[`, `"closings":[`, ErrRecord},
		{"no object", `{"version":1`, `["version"`, ErrRecord},
	} {
		if !strings.Contains(goldenRecord, test.old) {
			t.Fatalf("%s: %q is not there", test.name, test.old)
		}
		if _, err := DecodeRecord([]byte(strings.Replace(goldenRecord, test.old, test.new, 1))); !errors.Is(err, test.is) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := DecodeRecord(make([]byte, maxRecord+1)); !errors.Is(err, ErrRecord) {
		t.Error(err)
	}
	if _, err := (&Record{}).Encode(); err == nil {
		t.Error("an empty record is written")
	}
	if s := Stage(77).String() + State(77).String(); s != "stage 77state 77" {
		t.Error(s)
	}
}

// TestRecordFactor: weights follow what has begun, whatever stage it is in, and
// the lowest wins.
func TestRecordFactor(t *testing.T) {
	a, b := given(Linear), given(Linear)
	a.Nodes, b.Nodes = Group{IDs: []string{"a", "c"}}, Group{IDs: []string{"b", "c"}}
	b.Begin, b.Start, b.Curve.Floor = b.Begin.Add(time.Hour), b.Start.Add(time.Hour), 0.5
	r := Record{Entries: []Entry{{Opening: a}, {Opening: b}}}
	at := b.Low() // a is at 0.1, b at 0.5
	for _, test := range []struct {
		a, b    Stage
		x, y, z float64 // of nodes a, b, c
	}{
		{Planned, Planned, 1, 1, 1}, {Falling, Planned, 0.1, 1, 0.1}, {Skipped, Falling, 1, 0.5, 0.5},
		{AtFloor, AtFloor, 0.1, 0.5, 0.1}, {Cleared, Rising, 0.1, 0.5, 0.1}, {Skipped, Cleared, 1, 0.5, 0.5},
	} {
		r.Entries[0].Stage, r.Entries[1].Stage = test.a, test.b
		for i, want := range []float64{test.x, test.y, test.z} {
			if got := r.Factor(at, &Node{ID: string(rune('a' + i))}); got != want {
				t.Errorf("%v, %v: node %c has %v, not %v", test.a, test.b, 'a'+i, got, want)
			}
		}
	}
}

func TestLockValue(t *testing.T) {
	v := LockValue(20260314, "eu/1", 42)
	if v != "triggered_by_cron_20260314/42/eu/1" {
		t.Error(v)
	}
	if d, node, life, ok := ParseLockValue(v); !ok || d != 20260314 || node != "eu/1" || life != 42 {
		t.Error(d, node, life, ok)
	}
	for _, s := range []string{
		"", "triggered_by_cron_20260314", "triggered_by_cron_20260230/1/n", "triggered_by_cron_20260314/x/n", "triggered_by_cron_20260314/1/",
		"by_hand_20260314/1/n", "triggered_by_cron_20260314/-1/n", "triggered_by_cron_20260314/99999999999999999999/n",
	} {
		if _, _, _, ok := ParseLockValue(s); ok {
			t.Errorf("%q is a value", s)
		}
	}
	if DoneKey(20260314) != "/config/decay/done/20260314" {
		t.Error(DoneKey(20260314))
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte(goldenRecord))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(b)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("%s is read and cannot be written: %v", b, err)
		}
		second, err := DecodeRecord(again)
		if err != nil || second.Step != r.Step || len(second.Entries) != len(r.Entries) {
			t.Fatalf("%s\nbecomes\n%s\n%v", b, again, err)
		}
	})
}
