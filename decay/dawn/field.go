package dawn

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// SpecError says which part of a cron spec is wrong and what to write instead.
type SpecError struct {
	Spec   string
	Field  string // name of the field; empty if it is about the whole spec
	Column int    // of the part that is wrong, in bytes from 1
	Part   string // that part, as it was written
	Why    string
	Write  string // what to write
}

// Error returns one line with all of it.
func (e *SpecError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("cron %q: %s; write %s", e.Spec, e.Why, e.Write)
	}
	return fmt.Sprintf("cron %q: %s %q at column %d: %s; write %s", e.Spec, e.Field, e.Part, e.Column, e.Why, e.Write)
}

// Point returns the spec and, below it, a caret under the part that is wrong.
func (e *SpecError) Point() string {
	return e.Spec + "\n" + strings.Repeat(" ", max(e.Column-1, 0)) + "^"
}

// maxSpec is the longest spec in bytes; the longest useful one lists 60 values.
const maxSpec = 512

// fieldRule is what a field may hold.
type fieldRule struct {
	name     string
	min, max int
	names    string // three letters each, from min on; empty if there are none
	example  string
}

var fieldRules = [6]fieldRule{
	{"second", 0, 59, "", "0, 0,30 or */10"},
	{"minute", 0, 59, "", "0, 0,30, 10-20 or */15"},
	{"hour", 0, 23, "", "2, 2,14, 1-5 or */6"},
	{"day of month", 1, 31, "", "1, 1,15, 1-7 or *"},
	{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", "1, JAN, 3-10, MAR-OCT or *"},
	{"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT", "1, MON, 1-5, MON-FRI or * (0 and 7 are Sunday)"},
}

var macros = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

const (
	writeForms = `5 fields "minute hour day-of-month month day-of-week" such as "0 2 * * *", or 6 that begin with the second such as "0 0 2 * * *"`
	writeMacro = "@yearly, @monthly, @weekly, @daily or @hourly, or fields"
)

// Parse reads a cron spec of 5 or 6 fields or a macro, in a zone; nil is UTC. A
// field is *, a value, a range a-b, any of these with a step /n (a/n is a to the
// end), or a list of them; months and days of the week have names of three
// letters. Every error is a *SpecError, also that of a spec that never fires
// (February 30).
func Parse(spec string, loc *time.Location) (Spec, error) {
	if loc == nil {
		loc = time.UTC
	}
	if len(spec) > maxSpec {
		return Spec{}, &SpecError{Spec: spec[:32] + "...", Why: fmt.Sprintf("%d bytes are more than %d", len(spec), maxSpec), Write: writeForms}
	}
	spec = strings.TrimRight(spec, "\r\n") // files end with a newline
	s := Spec{text: spec, loc: loc}
	words := split(spec)
	if len(words) > 0 && strings.Contains(words[0].text, "TZ=") {
		// With the zone in front 5 fields look like 6.
		return Spec{}, &SpecError{Spec: spec, Field: "zone", Column: 1, Part: words[0].text, Why: "the zone is a setting of its own", Write: "the fields only, and the zone in its setting"}
	}
	if len(words) == 1 && strings.HasPrefix(words[0].text, "@") {
		fields, known := macros[strings.ToLower(words[0].text)]
		if !known {
			return Spec{}, unknownMacro(spec, words[0].text)
		}
		words, s.form = split("0 "+fields), Macro
	} else if len(words) == int(FiveFields) {
		words, s.form = append([]word{{text: "0"}}, words...), FiveFields
	} else if len(words) == int(SixFields) {
		s.form = SixFields
	} else {
		return Spec{}, wrongCount(spec, words)
	}
	masks := [6]*uint64{&s.second, &s.minute, &s.hour, &s.day, &s.month, &s.weekday}
	for i, w := range words {
		mask, err := fieldRules[i].parse(spec, w)
		if err != nil {
			return Spec{}, err
		}
		*masks[i] = mask
	}
	s.weekday = s.weekday&0x7f | s.weekday>>7
	s.both = words[3].text[0] == '*' || words[5].text[0] == '*'
	if !s.possible() {
		return Spec{}, &SpecError{
			Spec: spec, Field: "day of month", Column: words[3].at + 1, Part: words[3].text,
			Why: "no month of the spec has such a day, it would never fire", Write: "a day that the month has",
		}
	}
	return s, nil
}

// possible reports whether any day matches. Every date falls on every day of the
// week at some time, so only the length of the months counts.
func (s *Spec) possible() bool {
	if !s.both {
		return true // any week has the day
	}
	days := [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	for month := 1; month <= 12; month++ {
		if s.month>>month&1 != 0 && bits.TrailingZeros64(s.day) <= days[month] {
			return true
		}
	}
	return false
}

func unknownMacro(spec, name string) error {
	e := &SpecError{Spec: spec, Field: "macro", Column: strings.Index(spec, name) + 1, Part: name, Why: "there is no such macro", Write: writeMacro}
	switch {
	case strings.EqualFold(name, "@reboot"):
		e.Why = "a window of maintenance does not open when a node starts"
	case strings.HasPrefix(strings.ToLower(name), "@every"):
		e.Why = "an interval has no time of day"
	}
	return e
}

func wrongCount(spec string, words []word) error {
	e := &SpecError{Spec: spec, Why: fmt.Sprintf("it has %d fields", len(words)), Write: writeForms}
	if len(words) == 0 {
		e.Why = "it is empty"
		return e
	}
	if first := words[0].text; strings.HasPrefix(strings.ToLower(first), "@every") {
		return unknownMacro(spec, first)
	}
	return e
}

// word is a field as it was written.
type word struct {
	text string
	at   int // byte in the spec
}

// split cuts a spec at spaces and tabs.
func split(spec string) []word {
	var words []word
	start := -1
	for i := 0; i <= len(spec); i++ {
		space := i == len(spec) || spec[i] == ' ' || spec[i] == '\t'
		switch {
		case !space && start < 0:
			start = i
		case space && start >= 0:
			words = append(words, word{spec[start:i], start})
			start = -1
		}
	}
	return words
}

// parse returns the bits of a field.
func (r *fieldRule) parse(spec string, w word) (mask uint64, err error) {
	at := w.at
	for item := range strings.SplitSeq(w.text, ",") {
		m, why, write := r.item(item)
		if why != "" {
			if write == "" {
				write = r.example
			}
			return 0, &SpecError{Spec: spec, Field: r.name, Column: at + 1, Part: item, Why: why, Write: write}
		}
		mask |= m
		at += len(item) + 1
	}
	return mask, nil
}

// item returns the bits of one item of a list, or why it is wrong.
func (r *fieldRule) item(text string) (mask uint64, why, write string) {
	base, step, stepped := strings.Cut(text, "/")
	lo, hi := r.min, r.last()
	if base != "*" {
		from, to, ranged := strings.Cut(base, "-")
		if lo, why = r.value(from); why != "" {
			return 0, why, ""
		}
		switch {
		case ranged:
			if hi, why = r.value(to); why != "" {
				return 0, why, ""
			}
		case stepped:
			hi = max(lo, hi)
		default:
			hi = lo
		}
		if r.max == 7 && ranged && hi == 0 && lo > 0 {
			hi = 7 // SAT-SUN
		}
		if lo > hi {
			return 0, "the range runs backwards", fmt.Sprintf("%d-%d,%d-%d", lo, r.last(), r.min, hi)
		}
	}
	n := 1
	if stepped {
		var ok bool
		if n, ok = number(step); !ok || n == 0 {
			return 0, "a step is a whole number from 1 on", ""
		}
		if n > r.max-r.min {
			return 0, fmt.Sprintf("a step of %d leaves the field at once", n), fmt.Sprint(lo)
		}
	}
	for v := lo; v <= hi; v += n {
		mask |= 1 << v
	}
	return mask, "", ""
}

// last returns the last value of a range that has no end of its own. In the week
// that is Saturday: 7 is Sunday once more.
func (r *fieldRule) last() int {
	if r.max == 7 {
		return 6
	}
	return r.max
}

// value returns a number or a name as a number, or why it is none.
func (r *fieldRule) value(text string) (v int, why string) {
	v, ok := number(text)
	switch {
	case ok && (v < r.min || v > r.max):
		return 0, fmt.Sprintf("%s is not in %d-%d", text, r.min, r.max)
	case ok:
		return v, ""
	case text == "":
		return 0, "a value is missing"
	case text == "?" || strings.ContainsAny(text, "#LW") && r.names == "":
		return 0, fmt.Sprintf("%q belongs to another dialect of cron", text)
	case r.names == "":
		return 0, fmt.Sprintf("%q is no number", text)
	}
	if len(text) == 3 {
		if i := strings.Index(r.names, strings.ToUpper(text)); i >= 0 && i%3 == 0 {
			return r.min + i/3, ""
		}
	}
	return 0, fmt.Sprintf("%q is neither a number nor a name of three letters", text)
}

// number reads a number of one or two digits.
func number(s string) (int, bool) {
	if len(s) == 0 || len(s) > 2 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
