package presence

import (
	"testing"
	"time"
)

// at returns a time some seconds after a fixed one.
func at(seconds float64) time.Time {
	return time.UnixMilli(1_800_000_000_000 + int64(seconds*1000))
}

func TestJudge(t *testing.T) {
	held, left, lost := Record{Hold: Held}, Record{Hold: Left}, Record{Hold: Lost}
	gone := func(beat, lease float64) Evidence {
		return Evidence{Beat: BeatGone, BeatGone: at(beat), Lease: LeaseGone, LeaseGone: at(lease)}
	}
	for _, c := range []struct {
		name string
		r    Record
		e    Evidence
		now  float64
		want Status
	}{
		{"never seen", Record{}, Evidence{Beat: BeatHeard}, 0, Offline},
		{"left, its node lives", left, Evidence{Beat: BeatHeard, Lease: LeaseHeld}, 0, Offline},
		{"lost, its node is back", lost, Evidence{Beat: BeatHeard, Lease: LeaseHeld}, 0, Offline},
		{"all is well", held, Evidence{Beat: BeatHeard, Lease: LeaseHeld}, 0, Online},
		{"no leases, heard", held, Evidence{Beat: BeatHeard}, 0, Online},
		{"nothing is known", held, Evidence{Beat: BeatUnknown, Lease: LeaseUnknown}, 1e6, Online},
		{"the store was away", held, Evidence{Beat: BeatUnknown, Lease: LeaseHeld}, 1e6, Online},
		{"etcd is away", held, Evidence{Beat: BeatHeard, Lease: LeaseUnknown}, 1e6, Online},
		{"cut from etcd, serves on", held, Evidence{Beat: BeatHeard, Lease: LeaseGone, LeaseGone: at(0)}, 1e6, Suspect},
		{"cut from the store, serves on", held, Evidence{Beat: BeatGone, BeatGone: at(0), Lease: LeaseHeld}, 1e6, Suspect},
		{"no beat, and nobody knows of the lease", held, Evidence{Beat: BeatGone, BeatGone: at(0), Lease: LeaseUnknown}, 1e6, Suspect},
		{"lease gone, and the store was away", held, Evidence{Beat: BeatUnknown, Lease: LeaseGone, LeaseGone: at(0)}, 1e6, Suspect},
		{"both gone, in the grace", held, gone(0, 0), 29.999, Suspect},
		{"both gone, the grace is over", held, gone(0, 0), 30, Offline},
		{"the later of the two counts: lease", held, gone(0, 10), 39.999, Suspect},
		{"the later of the two counts: lease, over", held, gone(0, 10), 40, Offline},
		{"the later of the two counts: beat", held, gone(10, 0), 39.999, Suspect},
		{"the later of the two counts: beat, over", held, gone(10, 0), 40, Offline},
		{"no leases, no beat, in the grace", held, Evidence{Beat: BeatGone, BeatGone: at(0)}, 29.999, Suspect},
		{"no leases, no beat, the grace is over", held, Evidence{Beat: BeatGone, BeatGone: at(0)}, 30, Offline},
	} {
		if got := Judge(&c.r, c.e, at(c.now), 30*time.Second); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBeatInView(t *testing.T) {
	o, other := Owner{"n1", 1}, Owner{"n2", 2}
	v := &view{at: at(100), nodes: Nodes{Now: 50_000, Beats: map[Owner]int64{o: 48_000}}}
	old := &view{at: at(100), nodes: Nodes{Now: 50_000, Beats: map[Owner]int64{o: 38_000}}}
	blind := *old
	blind.blindUntil = at(103)
	ahead := &view{at: at(100), nodes: Nodes{Now: 50_000, Beats: map[Owner]int64{o: 90_000}}}
	for _, c := range []struct {
		name  string
		v     *view
		o     Owner
		since time.Time
		now   float64
		want  Beat
		gone  float64
	}{
		{"no view", nil, o, at(0), 100, BeatUnknown, 0},
		{"heard 2 s before", v, o, at(0), 100, BeatHeard, 0},
		{"the view is old", v, o, at(0), 106, BeatUnknown, 0},
		{"12 s before", old, o, at(0), 101, BeatGone, 93},
		{"12 s before, blind", &blind, o, at(0), 102, BeatUnknown, 0},
		{"12 s before, blind no more", &blind, o, at(0), 103, BeatGone, 93},
		{"its clock was set back", ahead, o, at(0), 100, BeatHeard, 0},
		{"unknown node, a device connected just now", v, other, at(98), 101, BeatUnknown, 0},
		{"unknown node, a device connected long ago", v, other, at(90), 101, BeatGone, 95},
	} {
		got, gone := c.v.beat(c.o, c.since.UnixMilli(), at(c.now), 5*time.Second)
		if got != c.want || got == BeatGone && !gone.Equal(at(c.gone)) {
			t.Errorf("%s: %v since %v, want %v since %v", c.name, got, gone, c.want, at(c.gone))
		}
	}
}

// TestBlind: after a time without a view, beats that are missing say nothing for as
// long as the others need to write theirs.
func TestBlind(t *testing.T) {
	o := Options{}.withDefaults()
	v := nextView(nil, Nodes{}, at(0), &o)
	if want := at(7); !v.blindUntil.Equal(want) {
		t.Errorf("the first view is blind until %v, want %v", v.blindUntil, want)
	}
	v = nextView(v, Nodes{}, at(1), &o)
	if want := at(7); !v.blindUntil.Equal(want) {
		t.Errorf("after the second: %v, want %v", v.blindUntil, want)
	}
	for s := 2.0; s < 20; s++ {
		v = nextView(v, Nodes{}, at(s), &o)
	}
	if v = nextView(v, Nodes{}, at(40), &o); !v.blindUntil.Equal(at(47)) {
		t.Errorf("after 20 s without: blind until %v, want %v", v.blindUntil, at(47))
	}
}

func TestBounds(t *testing.T) {
	b := Options{}.Bounds(10 * time.Second)
	want := Bounds{Release: 2100 * time.Millisecond, Suspect: 8 * time.Second, Offline: 43 * time.Second,
		Zombie: 122100 * time.Millisecond, Inbound: 122100 * time.Millisecond}
	if b != want {
		t.Errorf("Bounds = %+v, want %+v", b, want)
	}
	if b := (Options{}).Bounds(0); b.Offline != 38*time.Second {
		t.Errorf("without leases offline after %v, want 38 s", b.Offline)
	}
}

func TestOwners(t *testing.T) {
	for _, s := range []string{"n1:17", "a:b:3", "x:18446744073709551615"} {
		o, err := ParseOwner(s)
		if err != nil || o.String() != s {
			t.Errorf("ParseOwner(%q) = %v, %v", s, o, err)
		}
	}
	for _, s := range []string{"", "n1", "n1:", ":1", "n1:0", "n1:-1", "n1:01", "n1:+1", "n 1:1", "n{1:1", "n}:1", "n1:18446744073709551616"} {
		if o, err := ParseOwner(s); err == nil {
			t.Errorf("ParseOwner(%q) = %v, want an error", s, o)
		}
	}
}

// TestTags: the keys of a device share a slot, and no two devices a key.
func TestTags(t *testing.T) {
	seen := map[string]string{}
	for _, d := range []string{"a", "}", "%}", "%", "%%", "%%}", "}a", "%}a", "a}", "{a", "{a}", "a}b"} {
		tag := Tag(d)
		if tag[0] != '{' || tag[1] == '}' {
			t.Errorf("Tag(%q) = %q is no tag", d, tag)
		}
		if o, twice := seen[tag]; twice {
			t.Errorf("%q and %q have the same tag %q", d, o, tag)
		}
		seen[tag] = d
	}
}
