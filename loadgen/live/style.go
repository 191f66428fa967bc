package live

import (
	"strings"
	"unicode"
)

// style is how a piece of text stands out. Each is an addition: what it says is
// in the text, too.
type style byte

// Styles.
const (
	normal style = iota
	bold
	dim
	good
	bad
	odd
)

// codes are the SGR parameters of the styles.
var codes = [...]string{bold: "1", dim: "2", good: "32", bad: "1;31", odd: "33"}

// span is a piece of a line.
type span struct {
	text  string
	style style
}

// line is one line of the screen.
type line []span

// plainLine is a line of one style.
func plainLine(text string) line { return line{{text: text}} }

// cells returns how many columns a line takes.
func (l line) cells() (n int) {
	for _, s := range l {
		n += cells(s.text)
	}
	return n
}

// cut returns the line in at most width columns.
func (l line) cut(width int) line {
	if l.cells() <= width {
		return l
	}
	var out line
	for _, s := range l {
		n := cells(s.text)
		if n > width {
			return append(out, span{cutText(s.text, width), s.style})
		}
		width -= n
		out = append(out, s)
	}
	return out
}

// appendTo writes the line, in colours or without.
func (l line) appendTo(b []byte, colour bool) []byte {
	for _, s := range l {
		if !colour || s.style == normal {
			b = append(b, s.text...)
			continue
		}
		b = append(b, "\x1b["...)
		b = append(b, codes[s.style]...)
		b = append(b, 'm')
		b = append(b, s.text...)
		b = append(b, "\x1b[0m"...)
	}
	return b
}

// cells returns how many columns a text takes. East Asian characters take two;
// others beyond the symbols are taken to do the same, which is safe.
func cells(s string) (n int) {
	for _, c := range s {
		n += width(c)
	}
	return n
}

func width(c rune) int {
	if c >= 0x1100 && (c < 0x2000 || c >= 0x2e80) {
		return 2
	}
	return 1
}

// cutText returns the begin of a text in at most n columns, with a mark where
// something is missing.
func cutText(s string, n int) string {
	if cells(s) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	used := 0
	for i, c := range s {
		if used+width(c) > n-1 {
			return s[:i] + "~"
		}
		used += width(c)
	}
	return s
}

// pad returns a text in exactly n columns.
func pad(s string, n int) string {
	s = cutText(s, n)
	return s + strings.Repeat(" ", n-cells(s))
}

// printable replaces what a terminal would obey, or what takes no column:
// a server's words are shown, and do nothing.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) || unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf) {
			return '?'
		}
		return c
	}, s)
}

// marks are the symbols that are drawn with.
type marks struct {
	full, empty  string // of a bar
	pass, fail   string
	unknown, tip string
	steps        []string // of a curve, ascending
}

var (
	symbols = marks{full: "█", empty: "░", pass: "✓", fail: "✗", unknown: "?", tip: "!", steps: []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}}
	letters = marks{full: "#", empty: ".", pass: "+", fail: "x", unknown: "?", tip: "!", steps: []string{"_", ".", "-", "=", "*", "#"}}
)
