package validity

import (
	"os"
	"strings"
	"testing"
)

// TestDocsNameWhatMustBeMade: docs/LOADGEN.md lists the checks without which a run
// is INVALID, and no others.
func TestDocsNameWhatMustBeMade(t *testing.T) {
	text, err := os.ReadFile("../../docs/LOADGEN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(strings.ReplaceAll(string(text), "\n", " "), "if the run is worth nothing without it: ")
	list, _, ended := strings.Cut(list, ". ") // p99.9 has no space behind its point
	if !ok || !ended {
		t.Fatal("the list is gone")
	}
	said := strings.Split(list, ", ")
	if len(said) != len(must) {
		t.Errorf("%d names, want %d", len(said), len(must))
	}
	for _, name := range must {
		if !strings.Contains(", "+list+", ", ", "+name+", ") {
			t.Errorf("%q is not in %q", name, list)
		}
	}
}
