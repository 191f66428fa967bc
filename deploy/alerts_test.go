package deploy

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// rules is a file of alerts.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

// TestAlerts: every metric of roost's is one that roostd has, and every alert says how
// urgent it is and what to do.
func TestAlerts(t *testing.T) {
	var r rules
	if err := yaml.UnmarshalWithOptions([]byte(read(t, "prometheus/alerts.yaml")), &r, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	known := metricNames(t)
	seen := map[string]bool{}
	for _, g := range r.Groups {
		for _, a := range g.Rules {
			if seen[a.Alert] {
				t.Errorf("%s is there twice", a.Alert)
			}
			seen[a.Alert] = true
			for _, name := range regexp.MustCompile(`roost_[a-z_]+`).FindAllString(a.Expr+" "+a.Annotations["description"], -1) {
				if known[name] == "" {
					t.Errorf("%s: roostd has no metric %s", a.Alert, name)
				}
			}
			for _, m := range regexp.MustCompile(`(roost_[a-z_]+)\{([a-z]+)!?="`).FindAllStringSubmatch(a.Expr, -1) {
				if !hasLabel(t, known[m[1]], m[2]) {
					t.Errorf("%s: %s has no label %s", a.Alert, m[1], m[2])
				}
			}
			if _, err := time.ParseDuration(a.For); a.For != "" && err != nil {
				t.Errorf("%s: %v", a.Alert, err)
			}
			if s := a.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s: severity %q", a.Alert, s)
			}
			if a.Annotations["summary"] == "" || !strings.HasSuffix(a.Annotations["description"], ".") && !strings.HasSuffix(a.Annotations["description"], "?") {
				t.Errorf("%s does not say what it is, or what to do: %q", a.Alert, a.Annotations)
			}
			if strings.Count(a.Expr, "(") != strings.Count(a.Expr, ")") {
				t.Errorf("%s: %s", a.Alert, a.Expr)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d alerts", len(seen))
	}
}

// hasLabel reports whether the server gives a metric a label.
func hasLabel(t *testing.T, variable, label string) bool {
	t.Helper()
	files, _ := filepath.Glob("../server/samples*.go")
	for _, file := range files {
		for line := range strings.Lines(read(t, file)) {
			if strings.Contains(line, "metrics."+variable+",") && strings.Contains(line, `"`+label+`"`) {
				return true
			}
		}
	}
	return false
}

// metricNames are those that package metrics knows, with the variable of each.
func metricNames(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	files, _ := filepath.Glob("../server/metrics/*.go")
	for _, file := range files {
		for _, m := range regexp.MustCompile(`(\w+) += Desc\{"(roost_[a-z_]+)"`).FindAllStringSubmatch(read(t, file), -1) {
			names[m[2]] = m[1]
		}
	}
	if len(names) < 40 {
		t.Fatalf("%d metrics", len(names))
	}
	return names
}
