package scenario

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: whatever is read, there is an answer, soon, and what is taken is
// written and read again as the same.
func FuzzParse(f *testing.F) {
	for _, name := range Shipped() {
		text, _ := ReadShipped(name)
		f.Add(string(text))
	}
	files, _ := filepath.Glob("testdata/mistakes/*.yaml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz.yaml", []byte(text), ParseOptions{}) // one that takes too long is reported by the fuzzer
		var ps Problems
		if err != nil {
			if !errors.As(err, &ps) || len(ps) == 0 || len(ps) > maxProblems+1 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		again, err := Parse("again.yaml", s.Text(), ParseOptions{})
		if err != nil {
			t.Fatalf("%v\n%s", err, s.Text())
		}
		if string(again.Text()) != string(s.Text()) {
			t.Fatalf("%s\nis read as\n%s", s.Text(), again.Text())
		}
		if plan := s.Plan(); plan.Length < 0 {
			t.Fatalf("%+v", plan)
		}
	})
}

// TestLargeFilesAreReadOrRefused: no text within the bounds takes for ever, or
// more memory than there is.
func TestLargeFilesAreReadOrRefused(t *testing.T) {
	const bytes = 1 << 16
	for _, part := range []string{"[", "{a: ", "- ", "? ", "a: b\n", "a: {b: 1}\n", " ", "\n", "#\n", "a", "\"", "'", "|\n", "&a ", "*a ", "!!a ", ": ", ", ", "a:\n  ", "${a}", "---\n", "%", "<<: ", "a: [b, c]\n", "a ", "\t", " \t", "\r", "é", "a" + strings.Repeat(" ", 999), "\"a\" ", "a #", "|", ">\n  a\n", "- a\n", "\"\\n\" "} {
		text := strings.Repeat(part, bytes/len(part))
		for _, whole := range []string{text, "name: " + text, "a: [" + text} {
			if _, err := Parse("large.yaml", []byte(whole), ParseOptions{}); err == nil {
				t.Errorf("%q is a scenario", part)
			}
		}
	}
}
