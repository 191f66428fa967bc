package cluster

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var tell = Told{By: "t", Why: "test", At: time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)}

// TestPointerMoves: what each change makes of a pointer.
func TestPointerMoves(t *testing.T) {
	one, two, three := named{1, 11}, named{2, 22}, named{3, 33}
	p := Pointer{}.activated(one, tell)
	if p.Stable != 1 || p.Previous != 0 || p.check() != nil {
		t.Fatalf("first activation: %+v, %v", p, p.check())
	}
	if _, err := p.promoted(tell); !errors.Is(err, ErrNoCanary) {
		t.Errorf("promote without a canary: %v", err)
	}
	if _, err := p.rolledBack(tell); !errors.Is(err, ErrNoVersion) {
		t.Errorf("roll back with nothing before: %v", err)
	}
	for _, share := range []int{0, -1, 10001} {
		if _, err := p.tried(two, share, tell); !errors.Is(err, ErrOptions) {
			t.Errorf("a share of %d: %v", share, err)
		}
	}
	if _, err := p.tried(one, 500, tell); !errors.Is(err, ErrOptions) {
		t.Errorf("the stable version as canary: %v", err)
	}
	c, err := p.tried(two, 500, tell)
	if err != nil || c.Canary != 2 || c.CanaryHash != 22 || c.Share != 500 || c.Trial != 2 || !c.Began.Equal(tell.At) {
		t.Fatalf("canary: %+v, %v", c, err)
	}
	later := tell
	later.At = tell.At.Add(time.Minute)
	if wider, err := c.tried(two, 2500, later); err != nil || wider.Share != 2500 || !wider.Began.Equal(tell.At) {
		t.Errorf("another share begins no other trial: %+v, %v", wider, err)
	}
	if r := c.replaced(three, named{4, 44}, later); r.Stable != 3 || r.Canary != 4 || r.Trial != 2 || r.Share != 500 || !r.Began.Equal(tell.At) || r.check() != nil {
		t.Errorf("both replaced: %+v", r)
	}
	up, err := c.promoted(tell)
	if err != nil || up.Stable != 2 || up.Canary != 0 || up.Trial != 0 || up.Previous != 1 || up.PreviousHash != 11 {
		t.Errorf("promoted: %+v, %v", up, err)
	}
	back, err := c.rolledBack(tell)
	if err != nil || back.Stable != 1 || back.Canary != 0 || back.RolledBack != 2 || !back.Back.Equal(tell.At) {
		t.Errorf("canary rolled back: %+v, %v", back, err)
	}
	down, err := up.rolledBack(tell)
	if err != nil || down.Stable != 1 || down.StableHash != 11 || down.RolledBack != 2 || down.Previous != 0 {
		t.Errorf("rolled back: %+v, %v", down, err)
	}
}

// TestPointerFormat: what is written is read, and what cannot be is refused.
func TestPointerFormat(t *testing.T) {
	p, err := Pointer{Stable: 1, StableHash: 0xfedcba9876543210}.tried(named{2, 1 << 63}, 500, tell)
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, `"stable_hash":"fedcba9876543210"`) {
		t.Errorf("the hash is not readable in %s", text)
	}
	back, err := decodePointer([]byte(text), 7)
	if p.Activation = 7; err != nil || back != p {
		t.Errorf("%+v came back as %+v, %v", p, back, err)
	}
	for _, bad := range []string{
		``, `{}`, `null`, `{"stable":0}`, `{"stable":1,"canary":1,"share":5,"trial":1}`, `{"stable":1,"share":5}`, `{"stable":-1}`,
		`{"stable":1,"canary":2,"share":0,"trial":2}`, `{"stable":1,"canary":2,"share":10001,"trial":2}`, `{"stable":1,"canary":2,"share":5}`,
		`{"stable":1,"stable_hash":"12"}`, `{"stable":1,"stable_hash":"+edcba9876543210"}`, strings.Repeat(" ", maxPointer) + `{"stable":1}`,
	} {
		if p, err := decodePointer([]byte(bad), 7); !errors.Is(err, ErrDamaged) {
			t.Errorf("%.80s was read as %+v, %v", bad, p, err)
		}
	}
	if _, err := decodePointer([]byte(`{"stable":1,"of_a_later_version":[1]}`), 7); err != nil {
		t.Errorf("a field that is not known: %v", err)
	}
}

// TestPointerStaysValid: whatever happens to a pointer, in whatever order, it can
// be written and read.
func TestPointerStaysValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Pointer{}.activated(named{1, 1}, tell)
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			v := rapid.Uint64Range(1, 4).Draw(t, "version")
			next, err := p, error(nil)
			switch rapid.IntRange(0, 4).Draw(t, "change") {
			case 0:
				next = p.activated(named{v, Hash(v)}, tell)
			case 1:
				next, err = p.tried(named{v, Hash(v)}, rapid.IntRange(0, 10_001).Draw(t, "share"), tell)
			case 2:
				next, err = p.promoted(tell)
			case 3:
				next, err = p.rolledBack(tell)
			case 4:
				next = p.replaced(named{v, Hash(v)}, named{v + 1, Hash(v + 1)}, tell)
			}
			if err != nil {
				continue
			}
			p = next
			if text, err := p.encode(); err != nil {
				t.Fatalf("%+v: %v", p, err)
			} else if back, err := decodePointer([]byte(text), 0); err != nil || back != p {
				t.Fatalf("%+v came back as %+v: %v", p, back, err)
			}
		}
	})
}

func FuzzPointer(f *testing.F) {
	f.Add([]byte(`{"stable":1,"canary":2,"share":500,"trial":2,"stable_hash":"fedcba9876543210"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePointer(b, 1)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		text, err := p.encode()
		if err != nil {
			t.Fatalf("%s is read and cannot be written: %v", b, err)
		}
		if back, err := decodePointer([]byte(text), 1); err != nil || !json.Valid([]byte(text)) || back.Stable != p.Stable || back.Canary != p.Canary || back.Share != p.Share {
			t.Fatalf("%+v came back as %+v: %v", p, back, err)
		}
	})
}
