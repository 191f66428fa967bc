package dawn

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestGroup(t *testing.T) {
	n := Node{ID: "push-eu-07", Zone: "eu-west-1a", Labels: map[string]string{"rack": "r12", "role": ""}}
	for _, test := range []struct {
		name string
		g    Group
		want bool
	}{
		{"all", Group{IDs: []string{"*"}}, true},
		{"nothing is nobody", Group{}, false},
		{"one of the ids", Group{IDs: []string{"push-us-*", "push-eu-0?"}}, true},
		{"the whole id", Group{IDs: []string{"push-eu"}}, false},
		{"zone", Group{Zones: []string{"eu-*"}}, true},
		{"id and zone", Group{IDs: []string{"push-*"}, Zones: []string{"us-*"}}, false},
		{"label", Group{Labels: map[string]string{"rack": "r1?"}}, true},
		{"both labels", Group{Labels: map[string]string{"rack": "r12", "role": "edge"}}, false},
		{"label that is empty", Group{Labels: map[string]string{"role": ""}}, true},
		{"label that is not there", Group{Labels: map[string]string{"row": "*"}}, false},
	} {
		if got := test.g.Matches(&n); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	long := strings.Repeat("x", 300)
	for _, g := range []Group{
		{}, {IDs: []string{""}}, {Zones: []string{long}}, {Labels: map[string]string{"": "x"}}, {Labels: map[string]string{"x": long}},
		{IDs: make([]string, 2000)}, {IDs: []string{"\xff"}}, {Labels: map[string]string{"x": "\xff"}},
	} {
		if g.Validate() == nil {
			t.Errorf("%.80v is valid", g)
		}
	}
	if g := (Group{IDs: []string{"*"}, Labels: map[string]string{"role": ""}}); g.Validate() != nil {
		t.Error(g.Validate())
	}
}

// globTwin matches with a regular expression.
func globTwin(p, s string) bool {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for _, c := range []byte(p) {
		switch c {
		case '*':
			b.WriteString(`.*`)
		case '?':
			b.WriteString(`.`)
		default:
			b.WriteString(regexp.QuoteMeta(string(rune(c))))
		}
	}
	return regexp.MustCompile(b.String() + `\z`).MatchString(s)
}

func TestGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?")), 0, 12, -1).Draw(t, "p")
		s := rapid.StringOfN(rapid.SampledFrom([]rune("ab")), 0, 20, -1).Draw(t, "s")
		if got, want := glob(p, s), globTwin(p, s); got != want {
			t.Fatalf("glob(%q, %q) is %v", p, s, got)
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("push-*-0?", "push-eu-07")
	f.Add("**a*b**", "aab")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 64 || len(s) > 64 || strings.IndexFunc(p+s, func(r rune) bool { return r > 127 }) >= 0 {
			_ = glob(p, s)
			return
		}
		if got, want := glob(p, s), globTwin(p, s); got != want {
			t.Errorf("glob(%q, %q) is %v", p, s, got)
		}
	})
}
