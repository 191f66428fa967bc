package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
)

var update = flag.Bool("update", false, "write what is now right into testdata")

// TestText compares the text of each made-up result with the one in testdata.
func TestText(t *testing.T) {
	for _, name := range sample.Names {
		var b bytes.Buffer
		if err := Text(&b, sample.Make(name), 100); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s: differs from %s (go test ./loadgen/report -update writes it):\n%s", name, path, b.String())
		}
	}
}

// TestTextOfInvalid: it is said in the first line, with what failed, and again
// where the numbers begin.
func TestTextOfInvalid(t *testing.T) {
	var b bytes.Buffer
	if err := Text(&b, sample.Make("invalid"), 80); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	first, _, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(first, "INVALID") {
		t.Errorf("first line %q", first)
	}
	warned, numbers := strings.Index(text, "WHAT FOLLOWS IS NOT A RESULT"), strings.Index(text, "Phases")
	if warned < 0 || numbers < warned {
		t.Errorf("warned at %d, numbers at %d", warned, numbers)
	}
	for _, want := range []string{"[fail] send lag p99: 412 ms, want at most 1 ms.", "[unknown] null-sink ceiling: unknown"} {
		if !strings.Contains(text[:warned], want) {
			t.Errorf("no %q before the numbers", want)
		}
	}
}

// TestTextObeysNobody: no control character of a server's reaches the
// terminal, whatever it said, and no width is too small.
func TestTextObeysNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		said := rapid.String().Draw(t, "said")
		r := sample.Make("empty")
		r.Phases = []result.Phase{{Name: said, Outcome: said, Errors: []result.ErrorLine{{Stage: said, Class: said, Text: said + "\x1b[2J\u202e", Count: 1, Advice: said}}}}
		r.Notes = []string{said}
		r.Scenario.Name = said
		r.Thresholds = []result.Threshold{{Text: said, State: "fail"}, {Text: said, State: "unknown", Reason: said}}
		r.Validity = []result.Check{{Name: said, Unit: said, State: "fail", Text: said}}
		var b bytes.Buffer
		if err := Text(&b, r, rapid.IntRange(-1, 200).Draw(t, "width")); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.String() {
			if c != '\n' && c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x202e || c == utf8.RuneError && !strings.ContainsRune(said, c) {
				t.Fatalf("control character %U", c)
			}
		}
	})
}

// TestTextOfALongRun: as many phases as a scenario may have do not flood a
// terminal.
func TestTextOfALongRun(t *testing.T) {
	r := sample.Make("valid")
	for i := range 64 {
		p := r.Phases[2]
		p.Name = fmt.Sprintf("hold-%d", i)
		r.Phases = append(r.Phases, p)
	}
	var b bytes.Buffer
	if err := Text(&b, r, 100); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n > 300 || !strings.Contains(b.String(), "more lines: loadgen report --html shows all") {
		t.Errorf("%d lines", n)
	}
}

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestTextSaysThatItCouldNotBeWritten(t *testing.T) {
	if err := Text(full{}, sample.Make("valid"), 0); err == nil {
		t.Error("no error")
	}
}

// TestLossIsInTheHeadline: a run that went on without a worker says so first.
func TestLossIsInTheHeadline(t *testing.T) {
	r := &result.Result{Verdict: result.Valid, Workers: []result.Worker{{}, {Index: 1, Lost: "killed"}}}
	if title, meaning := headline(r); title != "VALID WITHOUT 1 OF 2 WORKERS" || !strings.Contains(meaning, "not for all of it") {
		t.Errorf("%s: %s", title, meaning)
	}
}
