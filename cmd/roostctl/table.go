package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean is s, or a Go string if s is not text that a terminal only shows.
func clean(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// table is text in columns.
type table struct {
	rows  [][]string
	right []bool
}

// newTable begins a table; a column whose title ends in > is set to the right.
func newTable(titles ...string) *table {
	t := &table{}
	for i, title := range titles {
		name, right := strings.CutSuffix(title, ">")
		t.right = append(t.right, right)
		titles[i] = name
	}
	t.rows = append(t.rows, titles)
	return t
}

// add adds a row. Names of nodes come from files.
func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = clean(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// write writes the table, if it has rows.
func (t *table) write(w io.Writer) error {
	if len(t.rows) == 1 {
		return nil
	}
	width := make([]int, len(t.right))
	for _, row := range t.rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		line := ""
		for i, cell := range row {
			gap := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				line += "  " + gap + cell
			} else {
				line += "  " + cell + gap
			}
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
