package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// maxProblems bounds what one file can make us say.
const maxProblems = 100

// Problem is one mistake in a scenario.
type Problem struct {
	File   string // empty: the mistake is not in a file but in a flag
	Line   int    // from 1
	Column int    // from 1, in characters
	Source string // the line, as written
	Path   string // what it is about: phases[2].publish[0].rate; may be empty
	Text   string // what is wrong, and what to write
}

// String writes the mistake over three lines: what, the source line, and a
// caret under the place.
func (p Problem) String() string {
	if p.File == "" {
		return p.Text
	}
	head := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
	if p.Source == "" {
		return head
	}
	line, caret := clip(p.Source, p.Column)
	number := fmt.Sprintf("%5d | ", p.Line)
	return head + "\n" + number + line + "\n" + strings.Repeat(" ", len(number)+caret-1) + "^"
}

// clip cuts a long line to what is around the column and makes every character
// one cell wide, so that the caret stands under its place.
func clip(line string, column int) (cut string, caret int) {
	const before, width = 60, 100
	runes := []rune(line)
	for i, r := range runes {
		if r < ' ' || r == '\ufeff' {
			runes[i] = ' '
		}
	}
	from := 0
	if len(runes) > width && column > before {
		from = min(column-before, len(runes))
	}
	return string(runes[from:min(from+width, len(runes))]), column - from
}

// Problems are all mistakes of a scenario, in the order of the file. It is the
// error of Parse and FromFlags.
type Problems []Problem

// Error writes all of them, one below the other.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// place is where something was written.
type place struct {
	in           *source
	line, column int
}

// source is one file's text.
type source struct {
	name  string
	lines []string
	order int // of the files, for sorting: the outermost first
}

func newSource(name string, text []byte, order int) *source {
	return &source{name, strings.Split(string(text), "\n"), order}
}

// problem says text about a place.
func (at place) problem(path, text string) Problem {
	p := Problem{Path: path, Text: text}
	if at.in != nil {
		p.File, p.Line, p.Column = at.in.name, at.line, at.column
		if 0 < at.line && at.line <= len(at.in.lines) {
			p.Source = strings.TrimRight(at.in.lines[at.line-1], "\r")
		}
	}
	return p
}

// within is the place so many characters into a value that begins here, behind
// its quote if it has one.
func (at place) within(offset int) place {
	if at.in == nil || offset == 0 || at.line < 1 || at.line > len(at.in.lines) {
		return at
	}
	if line := []rune(at.in.lines[at.line-1]); at.column <= len(line) && strings.ContainsRune(`"'`, line[at.column-1]) {
		offset++
	}
	at.column += offset
	return at
}

// findings collects problems with the places to sort them by.
type findings struct {
	list []finding
}

type finding struct {
	at place
	Problem
}

func (f *findings) add(at place, path, format string, args ...any) {
	f.list = append(f.list, finding{at, at.problem(path, fmt.Sprintf(format, args...))})
}

// problems returns what was found in the order of the files, nil for nothing.
func (f *findings) problems() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b finding) int {
		return cmpPlace(a.at, b.at)
	})
	var out Problems
	for _, p := range f.list {
		if len(out) == maxProblems {
			out = append(out, Problem{Text: fmt.Sprintf("and %d more mistakes", len(f.list)-maxProblems)})
			break
		}
		out = append(out, p.Problem)
	}
	return out
}

// cmpPlace orders flags first, then files, lines and columns.
func cmpPlace(a, b place) int {
	order := func(p place) [3]int {
		if p.in == nil {
			return [3]int{-1}
		}
		return [3]int{p.in.order, p.line, p.column}
	}
	x, y := order(a), order(b)
	return slices.Compare(x[:], y[:])
}
