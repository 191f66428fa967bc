package dawn

import (
	"testing"
	"time"
)

// FuzzParse: any text gives a spec whose firings are in order and match, or an
// error that points into it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"0 2 * * *", "*/5 1-3/2 1,15 JAN-MAR MON", "59 59 23 31 12 7", "@daily", "@every 1h", "TZ=x * * * * *", "0 0 29 2 */7", "0 0 30 2 *", "* * * * ?", ",,,", "1-/2 * * * *",
	} {
		f.Add(s, int64(1774000000), uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64, which uint8) {
		loc, err := time.LoadLocation(strange[int(which)%len(strange)].name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(text, loc)
		if err != nil {
			e, ok := err.(*SpecError)
			if !ok || e.Why == "" || e.Write == "" || e.Column < 0 || e.Column > len(text)+1 {
				t.Fatalf("%q: %#v", text, err)
			}
			_ = e.Point()
			return
		}
		at := time.Unix(unix, 0)
		for range 3 {
			next := s.Next(at)
			if next.IsZero() {
				if inRange(at) && inRange(at.AddDate(50, 0, 0)) {
					t.Fatalf("%q never fires after %v", text, at)
				}
				return
			}
			if !next.After(at) {
				t.Fatalf("%q after %v fires at %v", text, at, next)
			}
			u := shown(next).utc()
			exact := s.matchesDay(u) && s.hour>>u.Hour()&1 != 0 && s.minute>>u.Minute()&1 != 0 && s.second>>u.Second()&1 != 0
			if !exact && shown(next)-shown(next.Add(-time.Second)) == 1 {
				t.Fatalf("%q fires at %v, which does not match and is no change", text, next)
			}
			at = next
		}
	})
}
