package dawn

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"
)

func mustParse(t testing.TB, spec string, loc *time.Location) Spec {
	t.Helper()
	s, err := Parse(spec, loc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestNext(t *testing.T) {
	const layout = "2006-01-02 15:04:05 -07"
	tests := []struct {
		name, spec, zone, from string
		want                   string // comma between firings
	}{
		{"the given hour", "0 2 * * *", "UTC", "2026-03-14 01:59:59 +00", "2026-03-14 02:00:00 +00, 2026-03-15 02:00:00 +00"},
		{"strictly after", "0 2 * * *", "UTC", "2026-03-14 02:00:00 +00", "2026-03-15 02:00:00 +00"},
		{"6 fields begin with the second", "30 0 2 * * *", "UTC", "2026-03-14 00:00:00 +00", "2026-03-14 02:00:30 +00"},
		{"* as the first of 6 fires all minute", "* 0 2 * * *", "UTC", "2026-03-14 00:00:00 +00", "2026-03-14 02:00:00 +00, 2026-03-14 02:00:01 +00"},
		{"macro", "@monthly", "UTC", "2026-12-31 12:00:00 +00", "2027-01-01 00:00:00 +00"},
		{"names", "0 2 * mar-apr sun", "UTC", "2026-04-20 00:00:00 +00", "2026-04-26 02:00:00 +00, 2027-03-07 02:00:00 +00"},
		{"7 is Sunday", "0 2 * * 6-7", "UTC", "2026-03-13 00:00:00 +00", "2026-03-14 02:00:00 +00, 2026-03-15 02:00:00 +00, 2026-03-21 02:00:00 +00"},
		{"a range ends on Sunday", "0 2 * * SAT-SUN", "UTC", "2026-03-13 00:00:00 +00", "2026-03-14 02:00:00 +00, 2026-03-15 02:00:00 +00"},
		{"day of month or day of week", "0 0 13 * FRI", "UTC", "2026-03-07 00:00:00 +00", "2026-03-13 00:00:00 +00, 2026-03-20 00:00:00 +00, 2026-03-27 00:00:00 +00, 2026-04-03 00:00:00 +00, 2026-04-10 00:00:00 +00, 2026-04-13 00:00:00 +00"},
		{"both if one begins with a star", "0 0 */2 * MON", "UTC", "2026-03-01 00:00:00 +00", "2026-03-09 00:00:00 +00, 2026-03-23 00:00:00 +00, 2026-04-13 00:00:00 +00"},
		{"month without the day", "0 0 31 * *", "UTC", "2026-03-31 00:00:00 +00", "2026-05-31 00:00:00 +00"},
		{"leap day", "0 0 29 2 *", "UTC", "2026-03-01 00:00:00 +00", "2028-02-29 00:00:00 +00, 2032-02-29 00:00:00 +00"},
		{"no leap day in 2100", "0 0 29 2 *", "UTC", "2096-03-01 00:00:00 +00", "2104-02-29 00:00:00 +00"},
		{"leap day on a Sunday", "0 0 29 2 */7", "UTC", "2032-03-01 00:00:00 +00", "2060-02-29 00:00:00 +00"},
		{"leap day on a Sunday over 2100", "0 0 29 2 */7", "UTC", "2088-03-01 00:00:00 +00", "2128-02-29 00:00:00 +00"},
		{"last second of a year", "59 59 23 31 12 *", "UTC", "2026-12-31 23:59:58 +00", "2026-12-31 23:59:59 +00, 2027-12-31 23:59:59 +00"},

		{"a skipped hour fires at its end", "30 2 * * *", "Europe/Berlin", "2026-03-28 12:00:00 +01", "2026-03-29 03:00:00 +02, 2026-03-30 02:30:00 +02"},
		{"and once for all of it", "*/20 * * * *", "Europe/Berlin", "2026-03-29 01:30:00 +01", "2026-03-29 01:40:00 +01, 2026-03-29 03:00:00 +02, 2026-03-29 03:20:00 +02"},
		{"a repeated hour fires the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24 12:00:00 +02", "2026-10-25 02:30:00 +02, 2026-10-26 02:30:00 +01"},
		{"asked in the second of the two", "30 2 * * *", "Europe/Berlin", "2026-10-25 02:10:00 +01", "2026-10-26 02:30:00 +01"},
		{"every wall-clock time once", "*/30 * * * *", "Europe/Berlin", "2026-10-25 02:00:00 +02", "2026-10-25 02:30:00 +02, 2026-10-25 03:00:00 +01"},
		{"its end is not part of it", "0 3 * * *", "Europe/Berlin", "2026-10-25 00:00:00 +02", "2026-10-25 03:00:00 +01"},
		{"half an hour skipped", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00:00 +1030", "2026-10-04 02:30:00 +11"},
		{"half an hour repeated", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00:00 +11", "2026-04-05 01:45:00 +11, 2026-04-06 01:45:00 +1030"},
		{"midnight skipped", "0 0 * * *", "America/Sao_Paulo", "2018-11-03 12:00:00 -03", "2018-11-04 01:00:00 -02, 2018-11-05 00:00:00 -02"},
		{"midnight repeated", "0 0 * * *", "America/Havana", "2025-11-01 12:00:00 -04", "2025-11-02 00:00:00 -04, 2025-11-03 00:00:00 -05"},
		{"back over midnight", "0 0 * * *", "America/St_Johns", "2006-10-28 12:00:00 -0230", "2006-10-29 00:00:00 -0230, 2006-10-30 00:00:00 -0330"},
		{"back into yesterday", "30 23 * * *", "America/St_Johns", "2006-10-28 12:00:00 -0230", "2006-10-28 23:30:00 -0230, 2006-10-29 23:30:00 -0330"},
		{"a day skipped", "0 2 * * *", "Pacific/Apia", "2011-12-29 00:00:00 -10", "2011-12-29 02:00:00 -10, 2011-12-31 00:00:00 +14, 2011-12-31 02:00:00 +14"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			loc := zone(t, test.zone)
			from := parseTime(t, test.from)
			s := mustParse(t, test.spec, loc)
			want := strings.Split(test.want, ", ")
			for i, at := range s.NextN(from, len(want)) {
				if !at.Equal(parseTime(t, want[i])) {
					t.Errorf("firing %d is %v, want %s", i, at.Format(layout), want[i])
				}
				if at.Location() != loc {
					t.Errorf("firing %d is in %v", i, at.Location())
				}
			}
		})
	}
}

// parseTime reads a time with an offset of hours, or hours and minutes.
func parseTime(t testing.TB, s string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04:05 -07", "2006-01-02 15:04:05 -0700"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at
		}
	}
	t.Fatalf("time %q", s)
	return time.Time{}
}

func TestNextAtTheEnds(t *testing.T) {
	s := mustParse(t, "0 2 * * *", nil)
	for _, at := range []time.Time{
		{}, time.Unix(1<<62, 0), time.Unix(-1<<62, 0), time.Unix(1<<63-1, 999999999), time.Unix(-1<<63, 0),
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if n := s.Next(at); !n.IsZero() {
			t.Errorf("after %v: %v", at, n)
		}
	}
	if n := (Spec{}).Next(time.Now()); !n.IsZero() {
		t.Errorf("the zero spec fires at %v", n)
	}
	if d := (Spec{}).Describe(time.Now()); !strings.Contains(d, "never") {
		t.Error(d)
	}
	if n := s.NextN(time.Date(9999, 12, 28, 12, 0, 0, 0, time.UTC), 3); len(n) != 2 {
		t.Errorf("before the end of time: %v", n)
	}
	far := mustParse(t, "0 0 29 2 */7", time.FixedZone("far", 1<<30))
	if n := far.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); n.IsZero() {
		t.Error("a zone with an absurd offset stops")
	}
}

func TestForm(t *testing.T) {
	for spec, want := range map[string]Form{
		"0 2 * * *": FiveFields, "0 0 2 * * *": SixFields, " \t0  2 * * * ": FiveFields, "@daily": Macro, "@Hourly": Macro,
	} {
		s := mustParse(t, spec, nil)
		if s.Form() != want || s.String() != spec {
			t.Errorf("%q is %v, %q", spec, s.Form(), s.String())
		}
	}
	s := mustParse(t, "0 2 * * *", zone(t, "Europe/Berlin"))
	got := s.Describe(time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC))
	want := `"0 2 * * *" is 5 fields (minute, hour, day of month, month, day of week) in Europe/Berlin; ` +
		`next: Sat 2026-03-28 02:00:00 +01:00, Sun 2026-03-29 03:00:00 +02:00, Mon 2026-03-30 02:00:00 +02:00`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		spec, field string
		column      int
		want        string // in the text
	}{
		{"", "", 0, "it is empty; write 5 fields"},
		{"0 2 * *", "", 0, "it has 4 fields; write 5 fields"},
		{"0 0 2 * * * *", "", 0, "it has 7 fields"},
		{"TZ=Europe/Berlin 0 2 * * *", "zone", 1, "the zone is a setting of its own"},
		{"TZ=Europe/Berlin 0 2 * * * *", "zone", 1, "the zone is a setting of its own"},
		{"CRON_TZ=UTC @daily", "zone", 1, "the zone is a setting of its own"},
		{"@reboot", "macro", 1, "does not open when a node starts"},
		{"@every 5m", "macro", 1, "an interval has no time of day"},
		{" @dayly", "macro", 2, "there is no such macro; write @yearly"},
		{"0 25 * * *", "hour", 3, `"25" at column 3: 25 is not in 0-23; write 2, 2,14`},
		{"60 2 * * *", "minute", 1, "60 is not in 0-59"},
		{"60 0 2 * * *", "second", 1, "60 is not in 0-59"},
		{"0 2 0 * *", "day of month", 5, "0 is not in 1-31"},
		{"0 2 * 13 *", "month", 7, "13 is not in 1-12"},
		{"0 2 * * 8", "day of week", 9, "8 is not in 0-7"},
		{"0 2 * * MON,TUES", "day of week", 13, `"TUES" is neither a number nor a name of three letters; write 1, MON`},
		{"0 2 * * FRI-MON", "day of week", 9, "the range runs backwards; write 5-6,0-1"},
		{"50-10 2 * * *", "minute", 1, "the range runs backwards; write 50-59,0-10"},
		{"*/0 2 * * *", "minute", 1, "a step is a whole number from 1 on"},
		{"*/x 2 * * *", "minute", 1, "a step is a whole number from 1 on"},
		{"*/90 2 * * *", "minute", 1, "a step of 90 leaves the field at once; write 0"},
		{"0,,5 2 * * *", "minute", 3, "a value is missing"},
		{"0 2, * * *", "hour", 5, "a value is missing"},
		{"1-2-3 2 * * *", "minute", 1, "is no number"},
		{"-1 2 * * *", "minute", 1, "a value is missing"},
		{"0 2 ? * MON", "day of month", 5, "belongs to another dialect"},
		{"0 2 L * *", "day of month", 5, "belongs to another dialect"},
		{"0 2 * JANUARY *", "month", 7, "is neither a number nor a name"},
		{"0 2 * ANF *", "month", 7, "is neither a number nor a name"},
		{"0 MON * * *", "hour", 3, `"MON" is no number`},
		{"0 2 30 2 *", "day of month", 5, "it would never fire"},
		{"0 0 2 31 FEB,APR,jun *", "day of month", 7, "it would never fire"},
		{strings.Repeat("1,", 400), "", 0, "800 bytes are more than 512"},
	}
	for _, test := range tests {
		_, err := Parse(test.spec, nil)
		var e *SpecError
		switch {
		case !errors.As(err, &e):
			t.Errorf("%q: %v", test.spec, err)
		case e.Field != test.field || e.Column != test.column:
			t.Errorf("%q: field %q, column %d, want %q, %d: %v", test.spec, e.Field, e.Column, test.field, test.column, err)
		case !strings.Contains(e.Error(), test.want):
			t.Errorf("%q: %v, want %s", test.spec, err, test.want)
		}
	}
	_, err := Parse("0 25 * * *", nil)
	if got := err.(*SpecError).Point(); got != "0 25 * * *\n  ^" {
		t.Errorf("%s", got)
	}
}

func TestEveryName(t *testing.T) {
	for i, name := range strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC") {
		if s := mustParse(t, "0 2 1 "+name+" *", nil); s.month != 1<<(i+1) {
			t.Errorf("%s is %b", name, s.month)
		}
	}
	for i, name := range strings.Fields("sun mon tue wed thu fri sat") {
		if s := mustParse(t, "0 2 * * "+name, nil); s.weekday != 1<<i {
			t.Errorf("%s is %b", name, s.weekday)
		}
	}
}

// genField writes a field of cron; star says whether it may begin with one.
func genField(t *rapid.T, min, max int, star bool) string {
	value := rapid.IntRange(min, max)
	item := rapid.Custom(func(t *rapid.T) string {
		a, b := value.Draw(t, "a"), value.Draw(t, "b")
		a, b = minmax(a, b)
		step := rapid.IntRange(1, max-min).Draw(t, "step")
		switch k := rapid.IntRange(0, 5).Draw(t, "kind"); {
		case k == 0 && star:
			return fmt.Sprintf("*/%d", step)
		case k == 1:
			return fmt.Sprintf("%d-%d", a, b)
		case k == 2:
			return fmt.Sprintf("%d-%d/%d", a, b, step)
		case k == 3:
			return fmt.Sprintf("%d/%d", a, step)
		}
		return fmt.Sprint(a)
	})
	if rapid.Bool().Draw(t, "all") {
		return "*"
	}
	return strings.Join(rapid.SliceOfN(item, 1, 3).Draw(t, "items"), ",")
}

func minmax(a, b int) (int, int) { return min(a, b), max(a, b) }

// TestOracle compares with another implementation where the two mean the same:
// in a zone without changes, and without */n for a day, which that one takes for
// a list of days and cron (and we) for a star.
func TestOracle(t *testing.T) {
	five := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	six := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	rapid.Check(t, func(t *rapid.T) {
		parser := five
		fields := []string{genField(t, 0, 59, true), genField(t, 0, 23, true), genField(t, 1, 31, false), genField(t, 1, 12, true), genField(t, 0, 6, false)}
		if rapid.Bool().Draw(t, "six") {
			parser, fields = six, append([]string{genField(t, 0, 59, true)}, fields...)
		}
		spec := strings.Join(fields, " ")
		theirs, err := parser.Parse(spec)
		if err != nil {
			t.Fatalf("%q: the oracle says %v", spec, err)
		}
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "from"), 0).UTC()
		ours, err := Parse(spec, time.UTC)
		if err != nil {
			if want := theirs.Next(at); !want.IsZero() {
				t.Fatalf("%q: %v, but the oracle fires at %v", spec, err, want)
			}
			return
		}
		for range 5 {
			want := theirs.Next(at)
			got := ours.Next(at)
			if want.IsZero() && got.After(at.AddDate(5, 0, 0)) {
				return // it looks no further than five years
			}
			if !got.Equal(want) {
				t.Fatalf("%q after %v: %v, the oracle says %v", spec, at, got, want)
			}
			at = got
		}
	})
}

// TestParseTrims: a spec that is read from a file ends with a newline.
func TestParseTrims(t *testing.T) {
	s, err := Parse("0 2 * * * \r\n", nil)
	if err != nil || s.String() != "0 2 * * * " {
		t.Errorf("%q, %v", s, err)
	}
}
