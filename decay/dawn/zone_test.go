package dawn

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// strange are zones that change in ways of their own, with an instant near a
// change.
var strange = []struct {
	name string
	near string
}{
	{"Europe/Berlin", "2026-03-29 01:00:00 +00"},
	{"Europe/Berlin", "2026-10-25 01:00:00 +00"},
	{"America/New_York", "2026-11-01 06:00:00 +00"},
	{"Australia/Lord_Howe", "2026-10-03 15:30:00 +00"}, // by half an hour
	{"Australia/Lord_Howe", "2026-04-04 15:00:00 +00"},
	{"Pacific/Apia", "2011-12-30 10:00:00 +00"},      // a day that is not
	{"America/Sao_Paulo", "2018-11-04 03:00:00 +00"}, // no midnight
	{"America/Havana", "2025-11-02 05:00:00 +00"},    // midnight twice
	{"America/St_Johns", "2006-10-29 02:31:00 +00"},  // back into yesterday
	{"Africa/Casablanca", "2026-02-15 02:00:00 +00"},
	{"Asia/Pyongyang", "2018-05-04 15:00:00 +00"},
	{"America/Caracas", "2016-05-01 07:00:00 +00"},
	{"Asia/Kolkata", "2026-01-01 00:00:00 +00"}, // none at all
}

// genMoment is a time within two days of a change.
func genMoment(t *rapid.T) time.Time {
	z := rapid.SampledFrom(strange).Draw(t, "zone")
	loc, err := time.LoadLocation(z.name)
	if err != nil {
		t.Fatal(err)
	}
	near, err := time.Parse("2006-01-02 15:04:05 -07", z.near)
	if err != nil {
		t.Fatal(err)
	}
	return near.Add(time.Duration(rapid.Int64Range(-2*86400, 2*86400).Draw(t, "off")) * time.Second).In(loc)
}

// shown is what the clocks of the zone show.
func shown(t time.Time) wall {
	_, offset := t.Zone()
	return wall(t.Unix() + int64(offset))
}

// TestFirst checks first and unseen against their definitions: first(w) shows w
// or more, nothing in the two days before does, and it comes after t if and only
// if w is not seen at t.
func TestFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := genMoment(t)
		w := shown(at) + wall(rapid.IntRange(-7200, 7200).Draw(t, "w"))
		f := first(w, at.Location())
		if shown(f) < w {
			t.Fatalf("first(%v) is %v", w.utc(), f)
		}
		for d := time.Second; d < 50*time.Hour; d += 97 * time.Second {
			if shown(f.Add(-d)) >= w {
				t.Fatalf("first(%v) is %v, but %v shows it before", w.utc(), f, f.Add(-d))
			}
		}
		if shown(f.Add(-time.Second)) >= w {
			t.Fatalf("first(%v) is a second late", w.utc())
		}
		if u := unseen(at, at.Location()); f.After(at) != (w >= u) {
			t.Fatalf("at %v %v is unseen from %v on, but first says %v", at, w.utc(), u.utc(), f)
		}
	})
}

// slowNext is Next minute by minute: the clocks are watched, and when they show
// more than they ever have, all that lies between fires.
func slowNext(s *Spec, t time.Time) time.Time {
	seen := wall(-1 << 62)
	for at := t.Add(-50 * time.Hour).Truncate(time.Minute); ; at = at.Add(time.Minute) {
		now := shown(at.In(s.loc))
		if at.After(t) {
			for w := seen + 60; w <= now; w += 60 {
				u := w.utc()
				if s.matchesDay(u) && s.hour>>u.Hour()&1 != 0 && s.minute>>u.Minute()&1 != 0 {
					return at
				}
			}
			if at.Sub(t) > 10*24*time.Hour {
				return time.Time{}
			}
		}
		seen = max(seen, now)
	}
}

func TestSlowTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := genMoment(t).Truncate(time.Minute)
		day, weekday := "*", "*"
		if rapid.Bool().Draw(t, "days") {
			day, weekday = genField(t, 1, 31, true), genField(t, 0, 6, true)
		}
		spec := genField(t, 0, 59, true) + " " + genField(t, 0, 23, true) + " " + day + " * " + weekday
		s, err := Parse(spec, at.Location())
		if err != nil {
			t.Fatal(err)
		}
		want := slowNext(&s, at)
		if got := s.Next(at); !got.Equal(want) && !(want.IsZero() && got.Sub(at) >= 10*24*time.Hour) {
			t.Fatalf("%q after %v: %v, minute by minute %v", spec, at, got, want)
		}
	})
}

// TestNextSkipsNothing: from any time before the next firing it is the next.
func TestNextSkipsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := genMoment(t)
		spec := genField(t, 0, 59, true) + " " + genField(t, 0, 59, true) + " " + genField(t, 0, 23, true) + " * * *"
		s, err := Parse(spec, at.Location())
		if err != nil {
			t.Fatal(err)
		}
		next := s.Next(at)
		between := at.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(at))-1).Draw(t, "between")))
		if again := s.Next(between); !again.Equal(next) {
			t.Fatalf("%q after %v is %v, but after %v it is %v", spec, at, next, between, again)
		}
	})
}

func TestDate(t *testing.T) {
	berlin, johns, apia := zone(t, "Europe/Berlin"), zone(t, "America/St_Johns"), zone(t, "Pacific/Apia")
	for _, test := range []struct {
		at   string
		loc  *time.Location
		want Date
	}{
		{"2026-03-13 23:30:00 +00", berlin, 20260314},
		{"2026-03-13 23:30:00 +00", time.UTC, 20260313},
		{"2006-10-29 02:29:59 +00", johns, 20061028},
		{"2006-10-29 02:30:30 +00", johns, 20061029}, // 00:00:30
		{"2006-10-29 02:31:30 +00", johns, 20061029}, // 23:01:30 once more: the new date stays
		{"2011-12-30 10:00:00 +00", apia, 20111231},
	} {
		if got := DateOf(parseTime(t, test.at), test.loc); got != test.want {
			t.Errorf("%s in %v is %v, want %v", test.at, test.loc, got, test.want)
		}
	}
	if d := DateOf(time.Unix(1<<60, 0), time.UTC); d != 0 || d.Valid() {
		t.Errorf("a date of %v", d)
	}
	for _, d := range []Date{0, 20260230, 20261301, 20260400, 99999999, 4294967295} {
		if d.Valid() {
			t.Errorf("%v is a date", d)
		}
	}
	for _, s := range []string{"", "2026031", "2026-3-1", "20260230", "202603141", "２０２６"} {
		if ParseDate(s) != 0 {
			t.Errorf("%q is a date", s)
		}
	}
	if d := Date(20280229); ParseDate(d.String()) != d || d.String() != "20280229" {
		t.Errorf("%v", d)
	}
}

// TestDateBounds: a time is within the bounds of its date, so nights have no
// holes and do not overlap.
func TestDateBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := genMoment(t)
		from, to := DateOf(at, at.Location()).bounds(at.Location())
		if at.Before(from) || !at.Before(to) {
			t.Fatalf("%v has date %v, which is %v to %v", at, DateOf(at, at.Location()), from, to)
		}
	})
}
