package dawn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustClock(t testing.TB, s string) Clock {
	t.Helper()
	c, err := ParseClock(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestUntil: a maintenance that ends when the clocks show it, in nights of 23 and
// 25 hours too.
func TestUntil(t *testing.T) {
	for _, test := range []struct{ name, cron, start, until, zone, opens, ends string }{
		{"a night", "0 2 * * *", "", "04:00", "Europe/Berlin", "2026-03-14 02:00:00 +01", "2026-03-14 04:00:00 +01"},
		{"of 25 hours", "0 2 * * *", "", "04:00", "Europe/Berlin", "2026-10-25 02:00:00 +02", "2026-10-25 04:00:00 +01"},
		{"of 23 hours", "0 2 * * *", "", "04:00", "Europe/Berlin", "2026-03-29 03:00:00 +02", "2026-03-29 04:00:00 +02"},
		{"all of it is skipped", "0 2 * * *", "", "03:00", "Europe/Berlin", "2026-03-29 03:00:00 +02", "2026-03-29 03:00:01 +02"},
		{"its end is skipped", "30 1 * * *", "", "02:30", "Europe/Berlin", "2026-03-29 01:30:00 +01", "2026-03-29 03:00:00 +02"},
		{"its end comes twice: the later one", "30 1 * * *", "", "02:30", "Europe/Berlin", "2026-10-25 01:30:00 +02", "2026-10-25 02:30:00 +01"},
		{"skipped, until before it on the next day", "30 2 * * *", "", "02:15", "Europe/Berlin", "2026-03-29 03:00:00 +02", "2026-03-30 02:15:00 +02"},
		{"over midnight", "30 23 * * *", "", "00:00:30", "UTC", "2026-03-14 23:30:00 +00", "2026-03-15 00:00:30 +00"},
		{"a whole day", "0 2 * * *", "", "02:00", "UTC", "2026-03-14 02:00:00 +00", "2026-03-15 02:00:00 +00"},
		{"once", "", "2026-03-14 11:30:00 +00", "15:00", "Europe/Berlin", "2026-03-14 11:30:00 +00", "2026-03-14 15:00:00 +01"},
		{"once, in the second 02:30", "", "2026-10-25 02:30:00 +01", "02:45", "Europe/Berlin", "2026-10-25 02:30:00 +01", "2026-10-25 02:45:00 +01"},
		{"a day that comes twice", "0 2 * * *", "", "01:00", "Pacific/Kwajalein", "1969-09-29 02:00:00 +11", "1969-09-30 01:00:00 -12"},
	} {
		loc := zone(t, test.zone)
		w := Window{ID: "w", Until: mustClock(t, test.until), Nodes: Group{IDs: []string{"*"}}}
		if test.cron != "" {
			w.Cron = mustParse(t, test.cron, loc)
		} else {
			w.Start = parseTime(t, test.start)
		}
		c := &Calendar{Environment: "production", Zone: loc, Curve: DefaultCurve, Windows: []Window{w}}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		opens, ends := parseTime(t, test.opens), parseTime(t, test.ends)
		all, err := c.Openings(opens, opens.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		o := all[len(all)-1]
		if !o.Start.Equal(opens) || !o.End.Equal(ends) || o.Validate() != nil {
			t.Errorf("%s: %v to %v, %v", test.name, o.Start, o.End, o.Validate())
		}
		// Just before its end it still is one of the openings, and holds the weight.
		if all, _ := c.Openings(ends.Add(-1), ends); len(all) == 0 || c.Factor(ends, &Node{ID: "x"}) != 0.1 {
			t.Errorf("%s: at its end the factor is %v of %d openings", test.name, c.Factor(ends, &Node{ID: "x"}), len(all))
		}
	}
}

// TestUntilShown checks the end against its definition, near every strange
// change: after it the clocks never show its time again on that day, and unless
// the zone skips it they show it there.
func TestUntilShown(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := genMoment(rt)
		loc := at.Location()
		hour := rapid.IntRange(0, 23).Draw(rt, "hour")
		until := Clock(rapid.IntRange(0, day-1).Draw(rt, "until")) + 1
		cron := mustParse(t, fmt.Sprint("0 ", hour, " * * *"), loc)
		c := &Calendar{Environment: "production", Zone: loc, Curve: DefaultCurve, Windows: []Window{{ID: "w", Cron: cron, Until: until, Nodes: Group{IDs: []string{"*"}}}}}
		start := cron.Next(at)
		end := c.opening(&c.Windows[0], start).End
		planned, _ := cron.nextWall(unseen(start.Add(-1), loc))
		w := until.after(planned)
		if w <= planned || w > planned+day || (w-until.after(0))%day != 0 {
			rt.Fatalf("%v after %v is %v", until, planned.utc(), w.utc())
		}
		if end.Equal(start.Add(minDuration)) && shown(start) >= w {
			return // skipped as a whole
		}
		if got := shown(end); got < w || got != w && shown(end.Add(-time.Second)) >= w {
			rt.Fatalf("%v until %v ends at %v", start, w.utc(), end)
		}
		for d := time.Duration(1); d < zoneReach; d += 59 * time.Second {
			if shown(end.Add(d+time.Second-1)) < w {
				rt.Fatalf("%v until %v ends at %v, but then the clocks go back to %v", start, w.utc(), end, end.Add(d))
			}
		}
	})
}

func TestClock(t *testing.T) {
	for in, want := range map[string]string{"04:00": "04:00:00", "00:00": "00:00:00", "23:59:59": "23:59:59"} {
		if got := mustClock(t, in).String(); got != want {
			t.Errorf("%s is %s", in, got)
		}
	}
	for _, s := range []string{"", "4:00", "24:00", "04", "04:00:60", "04:00:00.5", "4 pm", "-1:00"} {
		if c, err := ParseClock(s); err == nil || c != 0 {
			t.Errorf("%q is %v", s, c)
		}
	}
	if s := Clock(0).String() + Clock(-1).String() + (lastClock + 1).String(); s != "nonenonenone" {
		t.Error(s)
	}
}

// TestNightsThatFit: what Validate lets pass can be recorded, whatever becomes of
// it; the group of a window that opens each hour is written once.
func TestNightsThatFit(t *testing.T) {
	calendar := func(nodes, windows int) *Calendar {
		c := &Calendar{Environment: "production", Zone: time.UTC, Curve: DefaultCurve}
		for w := range windows {
			g := Group{}
			for i := range nodes {
				g.IDs = append(g.IDs, fmt.Sprintf("w%d-%05d%s", w, i, strings.Repeat("n", 43)))
			}
			c.Windows = append(c.Windows, Window{ID: fmt.Sprint("w", w), Cron: mustParse(t, "@hourly", time.UTC), Duration: time.Minute, Nodes: g})
		}
		return c
	}
	for _, test := range []struct {
		nodes, windows int
		fits           bool
	}{{1000, 1, true}, {1000, 4, true}, {1000, 10, false}, {1, 10, true}} {
		c := calendar(test.nodes, test.windows)
		err := c.Validate()
		if (err == nil) != test.fits {
			t.Errorf("%d windows of %d nodes: %v", test.windows, test.nodes, err)
		}
		if err != nil {
			continue
		}
		night, _ := c.Night(20260314)
		r := newRecord(&night, night.Clear())
		r.Step, r.Holder, r.Fence = 1, "n1", 1
		for i := range r.Entries {
			r.Entries[i].Reason = longestText
		}
		b, err := r.Encode()
		if err != nil || len(b) > maxNight || len(r.Entries) != 24*test.windows {
			t.Errorf("%d windows of %d nodes: %d openings, %d bytes: %v", test.windows, test.nodes, len(r.Entries), len(b), err)
		}
		if got, err := DecodeRecord(b); err != nil || len(got.Entries) != len(r.Entries) || !got.Entries[1].Nodes.equal(&r.Entries[1].Nodes) {
			t.Error(err)
		}
	}
}
