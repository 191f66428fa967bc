package live

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// StreamSchema is the version of the stream's lines. It changes when a field
// changes its meaning or goes. docs/LIVE.md describes them.
const StreamSchema = 1

// Stream writes a JSON object a line: the state of the run each second, and at
// the end the verdict.
type Stream struct {
	out     output
	skipped int // lines for which there was no room, since the last that was written
	ended   bool
	failed  error
}

// NewStream returns a view that writes lines to w. It does not wait for w: where
// a reader is slow, lines are left out and counted.
func NewStream(w io.Writer) *Stream { return &Stream{out: output{w: w}} }

// second is a line while the run is under way.
type second struct {
	Schema   int           `json:"schema"`
	Kind     string        `json:"kind"` // second
	At       time.Duration `json:"at"`
	Scenario string        `json:"scenario"`
	Phase    phaseLine     `json:"phase"`
	Workers  int           `json:"workers"`
	Lost     int           `json:"workers_lost"`

	Clients   int `json:"clients"`
	Connected int `json:"connected"`
	Dialing   int `json:"dialing"`
	Goal      int `json:"goal"`
	Cut       int `json:"cut"`
	Restored  int `json:"restored"`
	Away      int `json:"away"`
	Pending   int `json:"pending"`

	Point    result.Point `json:"point"`
	Counts   tally.Counts `json:"counts"`
	Total    tally.Counts `json:"total"`
	Delivery *latencyLine `json:"delivery,omitempty"`

	Errors     []result.ErrorLine `json:"errors,omitempty"`
	Validity   []result.Check     `json:"validity"`
	Thresholds []result.Threshold `json:"thresholds,omitempty"`
	Skipped    int                `json:"skipped,omitempty"`
}

type phaseLine struct {
	Name    string        `json:"name"`
	Index   int           `json:"index"`
	Of      int           `json:"of"`
	Warmup  bool          `json:"warmup,omitempty"`
	State   string        `json:"state"`
	Elapsed time.Duration `json:"elapsed"`
	Left    time.Duration `json:"left"`
	Until   string        `json:"until,omitempty"`
}

// latencyLine is the phase's latency, in ns.
type latencyLine struct {
	Count  uint64 `json:"count"`
	Misses uint64 `json:"misses"`
	P50    int64  `json:"p50"`
	P90    int64  `json:"p90"`
	P99    int64  `json:"p99"`
	P999   int64  `json:"p999"`
	Max    int64  `json:"max"`
}

// verdictLine is the last line.
type verdictLine struct {
	Schema     int                `json:"schema"`
	Kind       string             `json:"kind"` // verdict
	Verdict    string             `json:"verdict"`
	ID         string             `json:"id,omitempty"`
	Scenario   string             `json:"scenario,omitempty"`
	Validity   []result.Check     `json:"validity,omitempty"`
	Thresholds []result.Threshold `json:"thresholds,omitempty"`
	Notes      []string           `json:"notes,omitempty"`
	Skipped    int                `json:"skipped,omitempty"`
}

// Show writes a line.
func (s *Stream) Show(f *Frame) {
	line := second{Schema: StreamSchema, Kind: "second", At: f.At, Scenario: f.Scenario,
		Phase:   phaseLine{f.Phase, f.Index, f.Phases, f.Warmup, f.State, f.Elapsed, f.Left, f.Until},
		Workers: f.Workers, Lost: f.Lost, Clients: f.Clients, Connected: f.Connected, Dialing: f.Dialing, Goal: f.Goal,
		Cut: f.Cut, Restored: f.Restored, Away: f.Away, Pending: f.Pending,
		Point: f.Point, Counts: f.Counts, Total: f.Total, Errors: f.Errors, Validity: f.Validity, Thresholds: f.Thresholds, Skipped: s.skipped}
	if l := latencyOf(f.Delivery); l.count > 0 {
		line.Delivery = &latencyLine{l.count, l.misses, l.p50, l.p90, l.p99, l.p999, l.max}
	}
	if s.put(line, false) {
		s.skipped = 0
	} else {
		s.skipped++
	}
}

// Done writes the verdict: none if there is no result. It waits until all is
// written, not for long. Further calls do nothing.
func (s *Stream) Done(r *result.Result) error {
	if s.ended {
		return nil
	}
	s.ended = true
	line := verdictLine{Schema: StreamSchema, Kind: "verdict", Verdict: "none", Skipped: s.skipped}
	if r != nil {
		line.Verdict, line.ID, line.Scenario = string(r.Verdict), r.ID, r.Scenario.Name
		line.Validity, line.Thresholds, line.Notes = r.Validity, r.Thresholds, r.Notes
	}
	s.put(line, true)
	if err := s.out.close(); err != nil {
		return fmt.Errorf("the stream: %w", err)
	}
	return s.failed
}

func (s *Stream) put(line any, must bool) bool {
	b, err := json.Marshal(line)
	if err != nil { // a number that JSON does not have
		s.failed = fmt.Errorf("the stream: %w", err)
		return false
	}
	return s.out.put(append(b, '\n'), must)
}
