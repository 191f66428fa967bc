package calibrate

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"roost/loadgen/tally"
)

// Row is one thing that was known and one that was reported.
type Row struct {
	Case     string // what the server did
	What     string // of the result
	Expected string
	Reported string
	Error    string // by how much it is off, and how much it may be
	OK       bool
	// Timing says that it is a time: what is too much may be the machine's
	// fault. Below says that it is less than it can be on any machine.
	Timing, Below bool
}

// exact compares counts.
func exact(what string, expected, reported uint64) Row {
	return Row{What: what, Expected: fmt.Sprint(expected), Reported: fmt.Sprint(reported), Error: fmt.Sprintf("%+d of 0", int64(reported-expected)), OK: expected == reported}
}

// share compares shares that must be the same but for rounding.
func share(what string, expected, reported float64) Row {
	return Row{What: what, Expected: fmt.Sprintf("%.6f", expected), Reported: fmt.Sprintf("%.6f", reported),
		Error: fmt.Sprintf("%+.1g of 1e-09", reported-expected), OK: math.Abs(reported-expected) <= 1e-9}
}

// same compares words.
func same(what, expected, reported string) Row {
	return Row{What: what, Expected: expected, Reported: reported, OK: expected == reported}
}

// near compares times in ns.
func near(what string, expected, reported, allowed int64) Row {
	off := reported - expected
	return Row{What: what, Expected: ms(expected), Reported: ms(reported), Error: fmt.Sprintf("%+.3f of %.3f ms", float64(off)/1e6, float64(allowed)/1e6),
		OK: off <= allowed && off >= -allowed, Timing: true, Below: off < -allowed}
}

// ms prints a time with all that a histogram resolves.
func ms(ns int64) string {
	if ns == tally.MissValue {
		return "never"
	}
	return fmt.Sprintf("%.3f ms", float64(ns)/float64(time.Millisecond))
}

// Failed counts rows that are not as they should be.
func Failed(rows []Row) (n int) {
	for _, r := range rows {
		if !r.OK {
			n++
		}
	}
	return n
}

// TooLong counts, of those, times that are longer than they should be.
func TooLong(rows []Row) (n int) {
	for _, r := range rows {
		if !r.OK && r.Timing && !r.Below {
			n++
		}
	}
	return n
}

// WriteTable prints rows.
func WriteTable(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "behaviour\tof the result\texpected\treported\terror\tok")
	for _, r := range rows {
		ok := "ok"
		if !r.OK {
			ok = "FAILED"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Case, r.What, r.Expected, r.Reported, r.Error, ok)
	}
	return t.Flush()
}
