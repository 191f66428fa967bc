package main

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"roost/loadgen/coord"
)

// TestHelp: of every command, within 80 columns, and without the secret that a
// flag's default may be.
func TestHelp(t *testing.T) {
	t.Setenv(tokenEnv, "swordfish")
	for _, c := range commands() {
		if c.about == "" {
			continue
		}
		exit, out, errout := here(t, "help", c.name)
		if exit != coord.ExitOK || !strings.HasPrefix(out, "usage: loadgen "+c.name) {
			t.Errorf("%s: exit %d, %q %q", c.name, exit, out, errout)
		}
		if strings.Contains(out, "swordfish") {
			t.Errorf("%s tells the token", c.name)
		}
		for _, line := range strings.Split(out, "\n") {
			if utf8.RuneCountInString(line) > 82 {
				t.Errorf("%s: %d columns: %q", c.name, utf8.RuneCountInString(line), line)
			}
		}
	}
}

// TestEveryFlagHasASection, and sections have flags that there are.
func TestEveryFlagHasASection(t *testing.T) {
	var listed []string
	for _, s := range sections {
		listed = append(listed, s.flags...)
	}
	_, run, _ := here(t, "help", "run")
	_, search, _ := here(t, "help", "search")
	for _, name := range listed {
		dash := "  --" + name
		if len(name) == 1 {
			dash = "  -" + name
		}
		if !strings.Contains(run+search, dash) {
			t.Errorf("section with --%s, which there is not", name)
		}
	}
	f := newFlags("run", "", "")
	var r runFlags
	r.add(f)
	r.addOwn(f)
	f.VisitAll(func(fl *flag.Flag) {
		if !slices.Contains(listed, fl.Name) {
			t.Errorf("--%s has no section in help", fl.Name)
		}
	})
}

// TestMistakesBeforeTheRun: what would be found at its end is found before.
func TestMistakesBeforeTheRun(t *testing.T) {
	for _, c := range []struct {
		flags []string
		exit  coord.Exit
		want  string
	}{
		{[]string{"--threshold", "dlivery.p99 < 50ms"}, coord.ExitUsage, "did you mean delivery.p99?"},
		{[]string{"--threshold", "delivery.p99 < 50"}, coord.ExitUsage, "want a unit"},
		{[]string{"--out", filepath.Join(t.TempDir(), "no", "r.json")}, coord.ExitError, "cannot be written"},
		{[]string{"--html", t.TempDir()}, coord.ExitError, "is a directory"},
	} {
		exit, out, errout := nowhere(t, c.flags...)
		if exit != c.exit || !strings.Contains(errout, c.want) || strings.Contains(out+errout, "phase 1/") {
			t.Errorf("%v: exit %d, %q", c.flags, exit, errout)
		}
	}
}
