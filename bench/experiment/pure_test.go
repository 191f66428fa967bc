package experiment

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"", nil}, {"  a  b\tc\n", []string{"a", "b", "c"}}, {`a 'b c' "d e"`, []string{"a", "b c", "d e"}},
		{`a\ b \'c`, []string{"a b", "'c"}}, {`"a\"b\\c\d"`, []string{`a"b\c\d`}}, {`'a\b'`, []string{`a\b`}},
		{`--x="1 2"y`, []string{"--x=1 2y"}}, {`''`, []string{""}}, {`$HOME *`, []string{"$HOME", "*"}},
	} {
		if got, err := Words(c.line); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q %v, want %q", c.line, got, err, c.want)
		}
	}
	for _, bad := range []string{`'a`, `a "b`, `a\`, `"\`} {
		if got, err := Words(bad); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

// TestWordsOfQuoted: what is quoted comes back.
func TestWordsOfQuoted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[ -~\n]*`)).Draw(t, "words")
		var line []string
		for _, w := range words {
			line = append(line, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		got, err := Words(strings.Join(line, " "))
		if err != nil || !slices.Equal(got, words) {
			t.Fatalf("%q %v, want %q", got, err, words)
		}
	})
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{`a 'b' "c\"" \d`, `'`, `\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { _, _ = Words(s) })
}

func TestOrder(t *testing.T) {
	if got := order(3, 0); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("%v", got)
	}
	if got := order(3, 1); !slices.Equal(got, []int{2, 1, 0}) {
		t.Errorf("%v", got)
	}
}

func TestParseCPU(t *testing.T) {
	a, err := parseCPU("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n")
	if err != nil || a != (cpuTime{850, 1000}) {
		t.Errorf("%v %v", a, err)
	}
	b, _ := parseCPU("cpu  150 0 50 850 50 0 0 0 0 0\n")
	if got := b.busySince(a); got != 0.5 {
		t.Errorf("busy %v", got)
	}
	if got := a.busySince(a); got != 0 {
		t.Errorf("busy %v of no time", got)
	}
	for _, bad := range []string{"", "cpu 1 2", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8 9"} {
		if _, err := parseCPU(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestLogIsBounded: a server that never stops talking fills no disk, and is
// ready when a line begins so, however it is cut.
func TestLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := newLog(path)
	if err != nil {
		t.Fatal(err)
	}
	said := func() bool {
		select {
		case <-l.ready:
			return true
		default:
			return false
		}
	}
	for _, s := range []string{"already\n", " ready\n", "not rea", "dy\nrea"} {
		_, _ = l.Write([]byte(s))
		if said() {
			t.Fatalf("ready at %q", s)
		}
	}
	if _, _ = l.Write([]byte("dy on port 1\nready\n")); !said() {
		t.Error("not ready")
	}
	chunk := []byte(strings.Repeat("x", 1<<20))
	for range 20 {
		if n, err := l.Write(chunk); n != len(chunk) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > mostLog+100 {
		t.Errorf("%v %v", info.Size(), err)
	}
	if !strings.Contains(lastLines(path, 1), "is left out") {
		t.Errorf("%q", lastLines(path, 1))
	}
}

func TestOther(t *testing.T) {
	at := time.Unix(1000, 0)
	before := Meter{at: at, busy: 100 * time.Second, steal: time.Second, server: 7 * time.Second, softirq: time.Second, self: time.Second}
	after := Meter{at: at.Add(10 * time.Second), busy: 115 * time.Second, steal: 2 * time.Second, server: 12 * time.Second, softirq: 2 * time.Second, self: time.Second}
	// 16 core-seconds, of which 5 are the server's, 1 ksoftirqd's and 4 the generator's.
	if got := after.Other(before, 4*time.Second); math.Abs(got-.6) > 1e-9 {
		t.Errorf("%v cores, want 0.6", got)
	}
	after.server = 0 // it has ended: what it used is not known, but not negative
	if got := after.Other(before, 4*time.Second); math.Abs(got-1.1) > 1e-9 {
		t.Errorf("%v cores, want 1.1", got)
	}
	if got := after.Other(after, 0); got != 0 {
		t.Errorf("%v cores in no time", got)
	}
	if m := ReadMeter(os.Getpid()); m.busy <= 0 || m.server <= 0 || m.self <= 0 {
		t.Errorf("%+v", m)
	}
}
