package tally

import (
	"encoding/json"
	"sort"
)

// ErrorKey is a class of errors: where in the life of a connection or message,
// and what. There are at most MaxErrorKeys; the rest count as Other.
type ErrorKey struct {
	Stage string `json:"stage"` // dial, upgrade, greeting, open (a ready connection), publish
	Class string `json:"class"` // ECONNREFUSED, HTTP 503, close 4101, timeout, protocol ...
	Text  string `json:"text"`  // what was said, shortened
}

// MaxErrorKeys bounds the classes of one tally: what a server says may be
// different each time.
const MaxErrorKeys = 64

// Other is the class of what found no room.
var Other = ErrorKey{Stage: "any", Class: "other", Text: "further kinds of errors"}

// Errors counts errors by class.
type Errors map[ErrorKey]uint64

// Count counts n of a class.
func (e *Errors) Count(k ErrorKey, n uint64) {
	if *e == nil {
		*e = Errors{}
	}
	if _, known := (*e)[k]; !known && len(*e) >= MaxErrorKeys {
		k = Other
	}
	(*e)[k] += n
}

// Add adds what o has counted.
func (e *Errors) Add(o Errors) {
	for _, l := range o.Lines() {
		e.Count(l.ErrorKey, l.N)
	}
}

// ErrorCount is a class with its count.
type ErrorCount struct {
	ErrorKey
	N uint64 `json:"n"`
}

// Lines lists the classes, the most frequent first.
func (e Errors) Lines() []ErrorCount {
	lines := make([]ErrorCount, 0, len(e))
	for k, n := range e {
		lines = append(lines, ErrorCount{k, n})
	}
	sort.Slice(lines, func(i, j int) bool {
		a, b := lines[i], lines[j]
		switch {
		case a.N != b.N:
			return a.N > b.N
		case a.Stage != b.Stage:
			return a.Stage < b.Stage
		case a.Class != b.Class:
			return a.Class < b.Class
		}
		return a.Text < b.Text
	})
	return lines
}

// MarshalJSON writes the lines.
func (e Errors) MarshalJSON() ([]byte, error) { return json.Marshal(e.Lines()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Errors) UnmarshalJSON(data []byte) error {
	var lines []ErrorCount
	if err := json.Unmarshal(data, &lines); err != nil {
		return err
	}
	*e = nil
	for _, l := range lines {
		e.Count(l.ErrorKey, l.N)
	}
	return nil
}
