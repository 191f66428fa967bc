package scenario

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s is not what is said now:\n%s", file, text)
	}
}

// TestMistakes reads files with every kind of mistake. What is said about each
// is in the file of the same name with the ending .txt.
func TestMistakes(t *testing.T) {
	files, _ := filepath.Glob("testdata/mistakes/*.yaml")
	if len(files) < 25 {
		t.Fatalf("%d files", len(files))
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(name, text, ParseOptions{ReadFile: func(name string) ([]byte, error) {
				return os.ReadFile(filepath.Join("testdata/mistakes", name))
			}})
			var ps Problems
			if s != nil || !errors.As(err, &ps) || len(ps) == 0 {
				t.Fatalf("%v, %v", s, err)
			}
			for i, p := range ps {
				if p.File == "" || p.Line < 1 || p.Column < 1 || p.Text == "" {
					t.Errorf("problem %d has no place: %+v", i, p)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", strings.ReplaceAll(err.Error(), "testdata/mistakes/", "")+"\n")
		})
	}
}

// TestMistakesOfFlags: what comes from the command line has no place in a file.
func TestMistakesOfFlags(t *testing.T) {
	seed := uint64(7)
	for want, v := range map[string]FlagValues{
		`--count: "many": want a whole number`:                                                         {Preset: "idle", Count: "many"},
		`--size: idle has none; it has: count=10k`:                                                     {Preset: "idle", Size: "128B"},
		"phases[2].storm.hook: server.restart is empty: give the command, in the file or by --restart": {Preset: "server-restart"},
		`there is no scenario "ilde"`:                                                                  {Preset: "ilde"},
		`there is no parameter "cuont", did you mean`:                                                  {Preset: "echo", Params: map[string]string{"cuont": "5"}},
		`target.url[0]: "http://h": want ws://host:port/path`:                                          {Preset: "echo", Overrides: Overrides{URLs: []string{"http://h"}}},
		`thresholds[2]: threshold "x", column 2`:                                                       {Preset: "echo", Overrides: Overrides{Thresholds: []string{"x"}, Seed: &seed}},
		`clients.sources[0]: "lo": want an address`:                                                    {Preset: "echo", Overrides: Overrides{Sources: []string{"lo"}}},
		`clients.count: is 0: want 1 to 50000000`:                                                      {Preset: "echo", Count: "0"},
		`phases[2].publish[0].size: is 10 bytes`:                                                       {Preset: "fanout", Size: "10"},
	} {
		s, err := FromFlags(v)
		if err != nil && strings.Contains(err.Error(), ".yaml:") {
			t.Errorf("%+v: %v: the user has no such file", v, err)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", v, s, want)
			t.Log(err)
		}
	}
}
