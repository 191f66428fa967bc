package compare

import (
	"io"
	"strings"
	"unicode/utf8"
)

// sheet is a table of text with a heading.
type sheet struct {
	head []string
	left int // so many columns are text, the rest numbers, to the right
	rows [][]string
}

// isText says that column i is words.
func (s *sheet) isText(i int) bool { return i < s.left || s.head[i] == "verdict" }

func (s *sheet) add(cells ...string) { s.rows = append(s.rows, cells) }

// text writes the table in columns, each line indented.
func (s *sheet) text(w io.Writer, indent string) {
	width := make([]int, len(s.head))
	all := append([][]string{s.head}, s.rows...)
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("  ")
			}
			if s.isText(i) {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		io.WriteString(w, indent+strings.TrimRight(line.String(), " ")+"\n")
	}
}

// markdown writes the table as GitHub does it.
func (s *sheet) markdown(w io.Writer) {
	row := func(cells []string) {
		io.WriteString(w, "|")
		for _, c := range cells {
			io.WriteString(w, " "+strings.ReplaceAll(c, "|", "\\|")+" |")
		}
		io.WriteString(w, "\n")
	}
	row(s.head)
	io.WriteString(w, "|")
	for i := range s.head {
		if s.isText(i) {
			io.WriteString(w, "---|")
		} else {
			io.WriteString(w, "---:|")
		}
	}
	io.WriteString(w, "\n")
	for _, r := range s.rows {
		row(r)
	}
}
