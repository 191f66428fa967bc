package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/loadgen/result"
)

// TestStreamLines: each is an object of its own, the last the verdict, and as in
// testdata.
func TestStreamLines(t *testing.T) {
	var b bytes.Buffer
	s := NewStream(&b)
	s.Show(first())
	s.Show(busy())
	res := &result.Result{ID: "ab", Verdict: result.Breached, Scenario: result.Scenario{Name: "fan-out"}, Notes: []string{"a note"},
		Thresholds: []result.Threshold{{Text: "delivery.max < 1s", Value: math.Inf(1), State: "fail"}}}
	if err := errors.Join(s.Done(res), s.Done(res)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "stream.jsonl")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(want, b.Bytes()) {
		t.Errorf("differs from %s (go test ./loadgen/live -update writes it): %v\n%s", path, err, b.String())
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	var last verdictLine
	if err := json.Unmarshal([]byte(lines[2]), &last); err != nil || last.Kind != "verdict" || last.Verdict != "breached" || !math.IsInf(last.Thresholds[0].Value, 1) {
		t.Errorf("%+v, %v", last, err)
	}
	var busyLine second
	if err := json.Unmarshal([]byte(lines[1]), &busyLine); err != nil || busyLine.Delivery.Misses != 3 || busyLine.Phase.Name != "hold" {
		t.Errorf("%+v, %v", busyLine, err)
	}
}

// TestStreamWithoutResult says so.
func TestStreamWithoutResult(t *testing.T) {
	var b bytes.Buffer
	if err := NewStream(&b).Done(nil); err != nil || b.String() != `{"schema":1,"kind":"verdict","verdict":"none"}`+"\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// TestStreamSurvivesNumbers: an endless value, which JSON does not have, is an error
// and no line.
func TestStreamSurvivesNumbers(t *testing.T) {
	var b bytes.Buffer
	s := NewStream(&b)
	f := first()
	f.Point.DialRate = math.Inf(1)
	s.Show(f)
	if err := s.Done(nil); err == nil || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("%v, %q", err, b.String())
	}
}

// gate is a writer that takes nothing until it is opened.
type gate struct {
	open chan struct{}
	b    bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	return g.b.Write(b)
}

// TestSlowReaderLosesLines, and is told how many; the verdict comes all the
// same, and memory is bounded.
func TestSlowReaderLosesLines(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	s := NewStream(g)
	f := busy()
	const shown = 600
	for range shown {
		s.Show(f)
	}
	s.out.mu.Lock()
	waiting := len(s.out.waiting)
	s.out.mu.Unlock()
	if waiting > maxWaiting {
		t.Errorf("%d bytes wait", waiting)
	}
	close(g.open)
	if err := s.Done(nil); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(g.b.String(), "\n"), "\n")
	var last verdictLine
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if last.Skipped == 0 || last.Skipped+len(lines)-1 != shown {
		t.Errorf("%d lines, %d skipped, want %d in all", len(lines)-1, last.Skipped, shown)
	}
}

// TestReaderThatNeverReads does not keep the end waiting for long.
func TestReaderThatNeverReads(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	p := NewPlain(g)
	p.Show(busy())
	if err := p.Done(nil); !errors.Is(err, errSlow) {
		t.Errorf("got %v", err)
	}
	close(g.open)
	if err := p.out.close(); err != nil {
		t.Error(err)
	}
}
