package live

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// TestDocumentHasEverything: docs/LIVE.md lists each field of the stream and
// each metric, and shows the screen as it is.
func TestDocumentHasEverything(t *testing.T) {
	b, err := os.ReadFile("../../docs/LIVE.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	fields := func(v any) {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(doc, "`"+name+"`") {
				t.Errorf("%v: no `%s`", typ, name)
			}
		}
	}
	for _, v := range []any{second{}, phaseLine{}, latencyLine{}, verdictLine{}, result.Point{}, result.ErrorLine{}} {
		fields(v)
	}
	counts := reflect.TypeOf(tally.Counts{})
	for i := range counts.NumField() {
		name := counts.Field(i).Tag.Get("json")
		if name == "lost" {
			name = "lost_connections"
		}
		if !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("no counter `%s`", name)
		}
	}
	for _, name := range histNames {
		if !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("no histogram `%s`", name)
		}
	}
	metrics, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (gauge|counter)$`).FindAllStringSubmatch(string(metrics), -1) {
		base := strings.TrimSuffix(strings.TrimPrefix(m[1], "loadgen_"), "_total")
		if !strings.Contains(doc, "`"+m[1]+"`") && (m[2] != "counter" || !strings.Contains(doc, "`"+base+"`")) {
			t.Errorf("no metric `%s`", m[1])
		}
	}
	screen, err := os.ReadFile("testdata/busy-79x23.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(doc, string(screen)) {
		t.Error("the screen of testdata/busy-79x23.txt is another one")
	}
}
