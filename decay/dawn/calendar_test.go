package dawn

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// testCalendar has the given window, one that follows it in another zone of the
// cluster, one over midnight, and one that happens once.
func testCalendar(t testing.TB, zoneName string) *Calendar {
	t.Helper()
	loc := zone(t, zoneName)
	c := &Calendar{
		Environment: "production", Zone: loc, Curve: DefaultCurve,
		Windows: []Window{
			{ID: "a", Cron: mustParse(t, "0 2 * * *", loc), Duration: 2 * time.Hour, Nodes: Group{Zones: []string{"a"}}},
			{ID: "b", Cron: mustParse(t, "0 3 * * *", loc), Duration: time.Hour, Nodes: Group{Zones: []string{"b"}}, Curve: Curve{Smooth, 0, time.Hour, time.Hour}},
			{ID: "midnight", Cron: mustParse(t, "15 0 * * SUN", loc), Duration: 10 * time.Minute, Nodes: Group{IDs: []string{"a*"}}},
			{ID: "once", Start: time.Date(2026, 3, 15, 1, 0, 0, 0, time.UTC), Duration: 72 * time.Hour, Nodes: Group{IDs: []string{"x"}}},
		},
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// names lists windows with their starts in UTC.
func names(all []Opening) []string {
	var s []string
	for _, o := range all {
		s = append(s, o.Window+" "+o.Start.UTC().Format("01-02 15:04"))
	}
	return s
}

func TestOpenings(t *testing.T) {
	c := testCalendar(t, "UTC")
	day := func(d, h, m int) time.Time { return time.Date(2026, 3, d, h, m, 0, 0, time.UTC) }
	for _, test := range []struct {
		name     string
		from, to time.Time
		want     []string
	}{
		{"a night", day(14, 0, 0), day(14, 12, 0), []string{"a 03-14 02:00", "b 03-14 03:00"}},
		{"one under way counts", day(14, 3, 59), day(14, 4, 1), []string{"a 03-14 02:00", "b 03-14 03:00"}},
		{"one that has just ended does not", day(14, 4, 0), day(14, 5, 0), nil},
		{"one that begins at the end does not", day(14, 1, 0), day(14, 2, 0), nil},
		{"once, for days", day(15, 0, 0), day(15, 12, 0), []string{"midnight 03-15 00:15", "once 03-15 01:00", "a 03-15 02:00", "b 03-15 03:00"}},
		{"its third day", day(18, 0, 30), day(18, 0, 45), []string{"once 03-15 01:00"}},
	} {
		got, err := c.Openings(test.from, test.to)
		if err != nil || !slices.Equal(names(got), test.want) {
			t.Errorf("%s: %v, %v", test.name, names(got), err)
		}
		for i := range got {
			if err := got[i].Validate(); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	}
	for _, r := range [][2]time.Time{
		{day(14, 0, 0), day(13, 0, 0)}, {day(1, 0, 0), day(500, 0, 0)}, {{}, day(1, 0, 0)}, {day(1, 0, 0), time.Unix(1<<60, 0)},
	} {
		if _, err := c.Openings(r[0], r[1]); err == nil {
			t.Errorf("%v is a range", r)
		}
	}
}

// TestOpeningsOverChanges: two hours are two hours, whatever the clocks do.
func TestOpeningsOverChanges(t *testing.T) {
	c := testCalendar(t, "Europe/Berlin")
	c.Windows = c.Windows[:1]
	for _, test := range []struct{ day, start, end string }{
		{"2026-03-28 12:00:00 +00", "2026-03-29 03:00:00 +02", "2026-03-29 05:00:00 +02"}, // 02:00 is skipped
		{"2026-10-24 12:00:00 +00", "2026-10-25 02:00:00 +02", "2026-10-25 03:00:00 +01"}, // 02:00 comes twice
		{"2028-02-28 12:00:00 +00", "2028-02-29 02:00:00 +01", "2028-02-29 04:00:00 +01"},
	} {
		from := parseTime(t, test.day)
		all, err := c.Openings(from, from.Add(24*time.Hour))
		if err != nil || len(all) != 1 || !all[0].Start.Equal(parseTime(t, test.start)) || !all[0].End.Equal(parseTime(t, test.end)) {
			t.Errorf("%s: %v %v", test.day, all, err)
			continue
		}
		if got := all[0].Begin; !got.Equal(all[0].Start.Add(-30 * time.Minute)) {
			t.Errorf("%s: the fall begins at %v", test.day, got)
		}
	}
}

func TestNights(t *testing.T) {
	c := testCalendar(t, "Europe/Berlin") // 00:15 on Sunday is 23:15 UTC
	n, ok := c.Night(20260315)
	if want := []string{"midnight 03-14 23:15", "a 03-15 01:00", "once 03-15 01:00", "b 03-15 02:00"}; !ok || !slices.Equal(names(n.Openings), want) {
		t.Errorf("%v %v", ok, names(n.Openings))
	}
	// The plan begins on the day before, and is still that of the 15th.
	if want := time.Date(2026, 3, 14, 22, 44, 0, 0, time.UTC); !n.Fire().Equal(want) || n.Date != 20260315 {
		t.Errorf("night %v fires at %v", n.Date, n.Fire())
	}
	if want := time.Date(2026, 3, 18, 1, 15, 0, 0, time.UTC); !n.Clear().Equal(want) {
		t.Errorf("it is clear at %v", n.Clear())
	}
	if _, ok := c.Night(20260230); ok {
		t.Error("there is a night of February 30")
	}
	apia := testCalendar(t, "Pacific/Apia")
	if _, ok := apia.Night(20111230); ok {
		t.Error("there is a night of a day that was not")
	}
	// What would have opened on it opens when it would have ended, in the night after.
	n, _ = apia.Night(20111231)
	if want := []string{"a 12-30 10:00", "b 12-30 10:00", "a 12-30 12:00", "b 12-30 13:00"}; !slices.Equal(names(n.Openings), want) {
		t.Errorf("%v", names(n.Openings))
	}
}

// TestNightsHaveEverything: every opening is in exactly one night, that of its
// date, and Due and Next find the nights.
func TestNightsHaveEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := genMoment(rt)
		c := testCalendar(t, at.Location().String())
		all, err := c.Openings(at, at.Add(48*time.Hour))
		if err != nil {
			rt.Fatal(err)
		}
		for i := range all {
			n, ok := c.Night(DateOf(all[i].Start, c.Zone))
			found := 0
			for j := range n.Openings {
				if n.Openings[j].Window == all[i].Window && n.Openings[j].Start.Equal(all[i].Start) {
					found++
				}
			}
			if !ok || found != 1 {
				rt.Fatalf("%v is %d times in night %v", names(all[i:i+1]), found, n.Date)
			}
		}
		next, ok := c.Next(at)
		if !ok || !next.Fire().After(at) {
			rt.Fatalf("after %v fires %v at %v", at, next.Date, next.Fire())
		}
		for d := DateOf(at.Add(-24*time.Hour), c.Zone); d <= DateOf(at.Add(48*time.Hour), c.Zone); d++ {
			if n, ok := c.Night(d); ok && n.Fire().After(at) && n.Fire().Before(next.Fire()) {
				rt.Fatalf("after %v night %v fires at %v, before that of %v at %v", at, n.Date, n.Fire(), next.Date, next.Fire())
			}
		}
		due := c.Due(next.Fire())
		if !slices.ContainsFunc(due, func(n Night) bool { return n.Date == next.Date }) {
			rt.Fatalf("night %v fires at %v and is not due then", next.Date, next.Fire())
		}
		if slices.ContainsFunc(c.Due(next.Fire().Add(-1)), func(n Night) bool { return n.Date == next.Date }) {
			rt.Fatalf("night %v is due before it fires", next.Date)
		}
		for i := 1; i < len(due); i++ {
			if due[i].Date <= due[i-1].Date {
				rt.Fatalf("due: %v before %v", due[i-1].Date, due[i].Date)
			}
		}
	})
}

func TestDueLasts(t *testing.T) {
	c := testCalendar(t, "UTC")
	n, _ := c.Night(20260315)
	end := n.Clear().Add(Grace)
	has := func(at time.Time) bool {
		return slices.ContainsFunc(c.Due(at), func(d Night) bool { return d.Date == n.Date })
	}
	if !has(end.Add(-1)) || has(end) {
		t.Errorf("night %v is not due until %v", n.Date, end)
	}
	for _, at := range []time.Time{{}, time.Unix(1<<60, 0), time.Unix(-1<<60, 0), firstYear, lastYear} {
		c.Due(at)
		c.Next(at)
		c.Factor(at, &Node{ID: "x", Zone: "a"})
	}
}

// TestCalendarFactor compares with the lowest over all openings near by.
func TestCalendarFactor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := genMoment(rt)
		if rapid.Bool().Draw(rt, "once") {
			at = time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 100).Draw(rt, "h")) * time.Hour).In(at.Location())
		}
		c := testCalendar(t, at.Location().String())
		n := &Node{ID: rapid.SampledFrom([]string{"a1", "x", "y"}).Draw(rt, "id"), Zone: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "zone")}
		all, err := c.Openings(at.Add(-5*24*time.Hour), at.Add(2*24*time.Hour))
		if err != nil {
			rt.Fatal(err)
		}
		want := 1.0
		for i := range all {
			if all[i].Nodes.Matches(n) {
				want = min(want, all[i].Factor(at))
			}
		}
		if got := c.Factor(at, n); got != want {
			rt.Fatalf("at %v %+v has %v, want %v", at, n, got, want)
		}
	})
}

func TestCalendarErrors(t *testing.T) {
	bad := map[string]func(*Calendar){
		"names no environment":   func(c *Calendar) { c.Environment = "" },
		"names no time zone":     func(c *Calendar) { c.Zone = time.Local },
		"floor NaN":              func(c *Calendar) { c.Curve.Floor = math.NaN() },
		"there are two":          func(c *Calendar) { c.Windows[1].ID = "a" },
		"an id has":              func(c *Calendar) { c.Windows[1].ID = "" },
		"and a start":            func(c *Calendar) { c.Windows[1].Start = time.Unix(1, 0) },
		"zone is that of the":    func(c *Calendar) { c.Windows[1].Cron.loc = time.Local },
		"never opens":            func(c *Calendar) { c.Windows[1].Cron = Spec{} },
		"outside the years":      func(c *Calendar) { c.Windows[3].Start = time.Unix(1<<60, 0) },
		"duration 0s":            func(c *Calendar) { c.Windows[1].Duration = 0 },
		"duration 72h0m0.000000": func(c *Calendar) { c.Windows[1].Duration = maxDuration + 1 },
		"a duration and an end":  func(c *Calendar) { c.Windows[1].Until = 1 },
		"its end is not in":      func(c *Calendar) { c.Windows[1].Until, c.Windows[1].Duration = lastClock+1, 0 },
		"bytes of UTF-8":         func(c *Calendar) { c.Windows[1].ID = "\xff" },
		"names no node":          func(c *Calendar) { c.Windows[1].Nodes = Group{} },
		"lead 1ns":               func(c *Calendar) { c.Windows[1].Curve.Lead = 1 },
		"can open 1443 times":    func(c *Calendar) { c.Windows[0].Cron, _ = Parse("* * * * *", time.UTC) },
	}
	for want, spoil := range bad {
		c := testCalendar(t, "UTC")
		spoil(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := (&Calendar{}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all at once: %v", err)
	}
}

// TestNoZone: a calendar that was not validated has no nights.
func TestNoZone(t *testing.T) {
	c := testCalendar(t, "UTC")
	c.Zone = nil
	now := time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)
	_, night := c.Night(20260314)
	_, next := c.Next(now)
	if due := c.Due(now); night || next || due != nil {
		t.Error(night, next, due)
	}
}

// TestTwoZones: where a cron spec is read in another zone than dates, a date may
// have two of its openings, or none.
func TestTwoZones(t *testing.T) {
	c := testCalendar(t, "UTC")
	c.Windows = c.Windows[:1]
	c.Windows[0].Cron = mustParse(t, "30 0 * * *", zone(t, "Europe/London"))
	for date, want := range map[Date]int{20260328: 1, 20260329: 2, 20260330: 1, 20261024: 1, 20261025: 0, 20261026: 1} {
		if n, ok := c.Night(date); len(n.Openings) != want || ok != (want > 0) {
			t.Errorf("%v: %v", date, names(n.Openings))
		}
	}
}
