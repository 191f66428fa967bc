package scenario

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// parseShipped reads a shipped scenario with the parameters that must be given.
func parseShipped(t testing.TB, name string, params map[string]string) *Scenario {
	t.Helper()
	text, err := ReadShipped(name)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	if name == "server-restart" {
		given["restart"] = "systemctl restart roostd"
	}
	for k, v := range params {
		given[k] = v
	}
	s, err := Parse(name+".yaml", text, ParseOptions{Params: given})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func TestShipped(t *testing.T) {
	want := []string{"churn", "dawn-wave", "drain", "echo", "fan-out", "half-open", "idle-density", "mixed-day",
		"reconnect-storm", "server-restart", "slow-readers", "smoke", "targeted-push"}
	if got := Shipped(); !slices.Equal(got, want) {
		t.Fatalf("shipped are %v, want %v", got, want)
	}
}

// TestShippedScale: the same scenario runs with ten clients and with a million.
func TestShippedScale(t *testing.T) {
	for _, name := range Shipped() {
		for _, count := range []string{"10", "2000", "1M"} {
			params := map[string]string{"count": count}
			if name == "dawn-wave" && count == "1M" {
				params["to"] = "40k/s" // its rise has a length
			}
			if name == "dawn-wave" && count == "2000" {
				params["to"] = "80/s"
			}
			s := parseShipped(t, name, params)
			if s.Name != name || s.Description == "" || len(s.Thresholds) == 0 {
				t.Errorf("%s: name %q, description %q, thresholds %v", name, s.Name, s.Description, s.Thresholds)
			}
			again, err := Parse("again.yaml", s.Text(), ParseOptions{})
			if err != nil || !reflect.DeepEqual(s, again) {
				t.Errorf("%s is not read as it is written: %v\n%s", name, err, s.Text())
			}
			var b bytes.Buffer
			if err := DryRun(&b, s); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
				t.Errorf("%s: %v\n%s", name, err, b.String())
			}
		}
	}
}

// TestShippedShort: every phase can be as short as somebody in a hurry wants.
func TestShippedShort(t *testing.T) {
	for _, name := range Shipped() {
		text, _ := ReadShipped(name)
		_, known := About(text)
		params := map[string]string{}
		for _, p := range []string{"hold", "warmup", "over", "fall"} {
			if hasParam(known, p) {
				params[p] = "1s"
			}
		}
		parseShipped(t, name, params)
	}
}

func TestUnknownShipped(t *testing.T) {
	_, err := ReadShipped("fan-otu")
	if err == nil || !strings.Contains(err.Error(), "did you mean `fan-out`?") {
		t.Error(err)
	}
	if _, err := ReadShipped("../flags"); err == nil {
		t.Error("a path is no name")
	}
}

func TestAbout(t *testing.T) {
	text, _ := ReadShipped("server-restart")
	description, params := About(text)
	if !strings.Contains(description, "restarted") || !slices.Contains(params, "restart=") || !slices.Contains(params, "count=1000") {
		t.Errorf("%q, %v", description, params)
	}
}

// TestShortNames are those of the same files.
func TestShortNames(t *testing.T) {
	for short, name := range presets {
		a, err := ReadShipped(short)
		b, _ := ReadShipped(name)
		if err != nil || string(a) != string(b) {
			t.Errorf("%s is not %s: %v", short, name, err)
		}
	}
}
