package tally

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// LogEntry is one histogram of a log.
type LogEntry struct {
	Tag    string        // a name; spaces and commas become underscores
	Start  time.Duration // since the log's start
	Length time.Duration
	Hist   *Hist
}

// WriteLog writes histograms as an HdrHistogram log (V2, format 1.3), which
// the plotters of that family read: values in ns, maxima of lines in ms. The
// format has no place for misses: a comment says how many there were. comments
// come first, a line each.
func WriteLog(w io.Writer, start time.Time, comments []string, entries []LogEntry) error {
	log := hdrhistogram.NewHistogramLogWriter(w)
	for _, c := range comments {
		if err := log.OutputComment(oneLine(c)); err != nil {
			return err
		}
	}
	if err := log.OutputLogFormatVersion(); err != nil {
		return err
	}
	base := start.UnixMilli() / 1000 * 1000 // the format's base has whole seconds
	log.SetBaseTime(base)
	if err := log.OutputBaseTime(base); err != nil {
		return err
	}
	if err := log.OutputStartTime(start.UnixMilli()); err != nil {
		return err
	}
	if err := log.OutputLegend(); err != nil {
		return err
	}
	for _, e := range entries {
		if e.Hist.Count() == 0 {
			continue
		}
		tag := strings.Map(func(c rune) rune {
			if c <= ' ' || c == ',' {
				return '_'
			}
			return c
		}, e.Tag)
		if e.Hist.Misses > 0 {
			if err := log.OutputComment(fmt.Sprintf("[Misses: %d of %s, not in its histogram]", e.Hist.Misses, tag)); err != nil {
				return err
			}
		}
		// A copy: times and tag are written into the histogram.
		h := hdrhistogram.New(MinValue, MaxValue, digits)
		h.Merge(e.Hist.h)
		h.SetTag(tag)
		from := start.Add(e.Start)
		h.SetStartTimeMs(from.UnixMilli())
		h.SetEndTimeMs(from.Add(e.Length).UnixMilli())
		if err := log.OutputIntervalHistogram(h); err != nil {
			return err
		}
	}
	return nil
}

// oneLine keeps a comment from beginning another line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
