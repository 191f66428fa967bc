package scenario

import (
	"bytes"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// everyKey has every object of a scenario file, so that the reader asks for
// every key.
const everyKey = `
target: {}
clients: {}
groups: [{read: {}}]
topics: {popularity: {}}
reconnect: {}
measure: {}
phases:
  - ramp: {arrival: {linear: {}, spike: {}, replay: {}}}
    publish: [{size: {}, arrival: {linear: {}, spike: {}, replay: {}}}]
    churn: {arrival: {linear: {}, spike: {}, replay: {}}}
    storm: {}
    slow: {read: {}}
    half_open: {}
    drain: {}
validity: {}
server: {}
`

// arrivalOwner is what stands before keys that the document lists once for all
// three.
var arrivalOwner = regexp.MustCompile(`^phases\[\]\.(ramp|publish\[\]|churn)\.(arrival\..*)$`)

// readFragment reads keys without asking what they amount to.
func readFragment(text string) (*reader, *Scenario, error) {
	var found findings
	src := []byte(text)
	root := parseYAML(newSource("fragment", src, 0), src, &found)
	r := &reader{found: &found, at: map[string]place{}, known: map[string]bool{}, bad: map[string]bool{}}
	s := &Scenario{}
	if root != nil {
		r.scenario(root, s)
	}
	return r, s, found.problems()
}

// TestDocumentHasEveryKey: docs/SCENARIO.md lists the keys that are read, and
// no others, each with an example that is read.
func TestDocumentHasEveryKey(t *testing.T) {
	r, _, _ := readFragment(everyKey)
	want := map[string]bool{}
	for key := range r.known {
		if m := arrivalOwner.FindStringSubmatch(key); m != nil {
			key = m[2]
		}
		want[key] = true
	}
	text, err := os.ReadFile("../../docs/SCENARIO.md")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok { // ## target: where to connect
			name, _, _ := strings.Cut(strings.TrimSpace(heading), ":")
			got[name] = true
		}
		cells := regexp.MustCompile(`\s*\|\s*`).Split(line, -1) // "", keys, default, meaning, example, ""
		if len(cells) != 6 || !strings.HasPrefix(cells[1], "`") {
			continue
		}
		for key := range strings.SplitSeq(cells[1], ", ") {
			key = strings.Trim(key, "`")
			got[key] = true
			if !want[key] && key != "burst" && key != "arrival" { // those stand with their owners as well
				t.Errorf("%s is in the document, and nobody reads it", key)
			}
		}
		checkExample(t, cells[1], strings.Trim(cells[4], "`"))
		checkDefault(t, strings.Trim(cells[1], "`"), strings.Trim(cells[2], "`"))
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !got[key] {
			t.Errorf("%s is read, and not in the document", key)
		}
	}
}

// checkExample reads an example, of the whole file or of an arrival.
func checkExample(t *testing.T, key, example string) {
	t.Helper()
	if strings.HasPrefix(example, "{") {
		example = "phases: [{publish: " + example + "}]"
	}
	if example == "" {
		return
	}
	if _, _, err := readFragment(example); err != nil {
		t.Errorf("the example of %s: %v", key, err)
	}
}

// checkDefault writes a default that is one word into a file that does not say
// it: nothing may change. Keys of lists are not looked at.
func checkDefault(t *testing.T, key, word string) {
	t.Helper()
	if !regexp.MustCompile(`^[\w.%-]+$`).MatchString(word) || word == "none" || word == "empty" || !regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)*$`).MatchString(key) ||
		strings.HasPrefix(key, "arrival") || key == "burst" {
		return
	}
	const file = "topics: {count: 10}\nphases: [{name: ramp, ramp: {}}]\n"
	want := parse(t, file, ParseOptions{})
	if got := parse(t, file, ParseOptions{Overrides: Overrides{Set: map[string]string{key: word}}}); key != "topics.count" && !bytes.Equal(got.Text(), want.Text()) {
		t.Errorf("the default of %s is not %s", key, word)
	}
}

// TestDocumentsExample: the scenario at the top is one.
func TestDocumentsExample(t *testing.T) {
	text, err := os.ReadFile("../../docs/SCENARIO.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")
	if len(blocks) != 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	example, _, _ := strings.Cut(blocks[1], "```")
	s := parse(t, example, ParseOptions{})
	if s.Name != "fan-out" || len(s.Phases) != 3 {
		t.Errorf("%s", s.Text())
	}
	thresholds, _, _ := strings.Cut(blocks[2], "```")
	if s := parse(t, "phases: [{name: ramp, ramp: {}}]\n"+thresholds, ParseOptions{}); len(s.Thresholds) != 6 {
		t.Errorf("%v", s.Thresholds)
	}
}
