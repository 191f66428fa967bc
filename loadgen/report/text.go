package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
)

// Bounds of a terminal's width.
const (
	minWidth     = 40
	defaultWidth = 80
	maxErrors    = 12 // kinds in the text; the file has all
	shownHash    = 16 // characters; the file has all
	maxRows      = 60 // of a table; the page has all
)

// Text writes the summary that ends a run in a terminal, width columns wide (0:
// 80). Tables that have more columns are wider, after what they can do without is
// left out. Nothing of what a server said
// reaches the terminal as a control character.
func Text(w io.Writer, r *result.Result, width int) error {
	if width <= 0 {
		width = defaultWidth
	}
	t := &text{width: max(width, minWidth)}
	t.verdict(r)
	t.subject(r)
	if r.Verdict == result.Invalid {
		t.line("")
		t.line("WHAT FOLLOWS IS NOT A RESULT")
	}
	errors := errorTable(r)
	if more := len(errors.rows) - maxErrors; more > 0 {
		errors.rows = errors.rows[:maxErrors]
		errors.note = fmt.Sprintf("The %d most frequent kinds; the file has %d more.", maxErrors, more)
	}
	for _, table := range []table{phaseTable(r), latencyTable(r), deliveryTable(r), publishTable(r), stormTable(r), errors, resourceTable(r), thresholdTable(r)} {
		t.table(table)
	}
	for _, n := range r.Notes {
		t.line("")
		t.wrap("note: ", shortNote(n))
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// maxNote is how many characters of a note the text has. What a hook prints may
// be 4 KiB.
const maxNote = 400

// shortNote leaves the middle of a long note out.
func shortNote(n string) string {
	chars := []rune(n)
	if len(chars) <= maxNote {
		return n
	}
	return string(chars[:maxNote/2]) + " [...] " + string(chars[len(chars)-maxNote/2:]) + " (the file has all)"
}

// text is a text of a width that grows.
type text struct {
	b     strings.Builder
	width int
}

// line writes a line, without control characters.
func (t *text) line(s string) {
	t.b.WriteString(strings.TrimRight(printable(s), " "))
	t.b.WriteByte('\n')
}

// wrap writes s behind a prefix, broken between words, further lines indented.
func (t *text) wrap(prefix, s string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(prefix))
	line := prefix
	for _, word := range strings.Fields(s) {
		if line != prefix && line != indent {
			if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > t.width {
				t.line(line)
				line = indent
			} else {
				line += " "
			}
		}
		line += word
	}
	t.line(line)
}

func (t *text) verdict(r *result.Result) {
	title, meaning := headline(r)
	t.line(title + ": " + r.Scenario.Name)
	t.wrap("  ", meaning)
	for _, c := range append(checksOf(r, "fail"), missing(r)...) {
		value := svg.Format(c.Value, svg.Unit(c.Unit))
		if c.State == "unknown" {
			value = "unknown"
		}
		t.wrap("  ["+c.State+"] ", fmt.Sprintf("%s: %s, want %s. %s", c.Name, value, limit(c), c.Text))
	}
	for _, x := range judged(r) {
		switch x.State {
		case "fail":
			t.wrap("  [fail] ", x.Text+": "+found(r, x))
		case "unknown":
			t.wrap("  [unknown] ", x.Text+": "+x.Reason)
		}
	}
	for _, e := range worstErrors(r) {
		t.wrap("  [errors] ", e.Name+". "+e.Text)
	}
	for _, w := range r.Workers {
		if w.Lost != "" {
			t.wrap("  [lost] ", fmt.Sprintf("worker %d on %s: %s", w.Index, w.Host, w.Lost))
		}
	}
	for _, c := range checksOf(r, "advice") {
		t.wrap("  [advice] ", fmt.Sprintf("%s: %s, better %s. %s", c.Name, svg.Format(c.Value, svg.Unit(c.Unit)), limit(c), c.Text))
	}
}

// subject says what ran, in two lines.
func (t *text) subject(r *result.Result) {
	clients := 0
	for _, w := range r.Workers {
		clients += w.Clients
	}
	t.line("")
	t.wrap("run ", fmt.Sprintf("%s, %s, %s long, %s, %s, seed %d", r.ID, r.Started.UTC().Format("2006-01-02 15:04:05Z"),
		r.Ended.Sub(r.Started).Round(time.Second), plural(len(r.Workers), "worker"), plural(clients, "client"), r.Scenario.Seed))
	if hash := r.Comparability.Hash; hash != "" {
		t.wrap("comparable with ", "runs of "+hash[:min(len(hash), shownHash)])
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return svg.Thousands(float64(n)) + " " + what + "s"
}

// table writes a table, and nothing if it has no rows. Columns without a value
// are left out, and a name is written once.
func (t *text) table(tb table) {
	if len(tb.rows) == 0 {
		return
	}
	t.line("")
	t.line(tb.title)
	if tb.note != "" {
		t.wrap("  ", tb.note)
	}
	keep, wide := tb.columns()
	for _, spare := range tb.spare {
		total := 0
		for _, c := range keep {
			total += wide[c] + 2
		}
		if total > t.width {
			keep = slices.DeleteFunc(keep, func(c int) bool { return c == spare })
		}
	}
	write := func(cells []string, mark, above string) {
		line := mark
		for _, c := range keep {
			cell := printable(cells[c])
			pad := strings.Repeat(" ", wide[c]-utf8.RuneCountInString(cell))
			switch {
			case c == 0 && cell == above:
				line += strings.Repeat(" ", wide[c]) + "  "
			case c < tb.names || c >= len(tb.head)-tb.words:
				line += cell + pad + "  "
			default:
				line += pad + cell + "  "
			}
		}
		t.line(line)
	}
	write(tb.head, "  ", "")
	above := ""
	for _, r := range tb.rows[:min(len(tb.rows), maxRows)] {
		mark := "  "
		if r.state == "fail" {
			mark = "! "
		}
		if tb.names < 2 {
			above = ""
		}
		write(r.cells, mark, above)
		above = printable(r.cells[0])
		if r.text != "" {
			t.wrap("      ", r.text)
		}
	}
	if more := len(tb.rows) - maxRows; more > 0 {
		t.line(fmt.Sprintf("  and %d more lines: loadgen report --html shows all", more))
	}
}

// columns says which columns have something in them, and how wide each is.
func (tb *table) columns() (keep, wide []int) {
	wide = make([]int, len(tb.head))
	for c, head := range tb.head {
		some := c < tb.names || c >= len(tb.head)-tb.words
		wide[c] = utf8.RuneCountInString(head)
		for _, r := range tb.rows {
			wide[c] = max(wide[c], utf8.RuneCountInString(printable(r.cells[c])))
			some = some || r.cells[c] != "-"
		}
		if some {
			keep = append(keep, c)
		}
	}
	return keep, wide
}

// printable replaces control characters, which a terminal would obey.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return '?'
		}
		return c
	}, s)
}
