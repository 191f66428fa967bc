package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func mustRead(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestWriteFileKeeps: a file that is replaced stays behind its links, and has the mode
// that it had.
func TestWriteFileKeeps(t *testing.T) {
	inTemp(t)
	if err := errors.Join(os.Mkdir("d", 0o755), os.WriteFile("d/x.ring", []byte("old"), 0o600), os.Symlink("x.ring", "d/one"), os.Symlink("d/one", "two"), os.Symlink("d/new", "dangling"), os.Symlink("loop", "loop")); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"two": "d/x.ring", "dangling": "d/new", "plain": "plain"} {
		if err := writeFile(t.Context(), name, text("new")); err != nil || mustRead(t, target) != "new" {
			t.Errorf("%s: %v, %q", name, err, mustRead(t, target))
		}
	}
	for _, name := range []string{"two", "d/one", "dangling"} {
		if s, err := os.Lstat(name); err != nil || s.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", name, err)
		}
	}
	if s, err := os.Stat("d/x.ring"); err != nil || s.Mode() != 0o600 {
		t.Errorf("%v, %v", s.Mode(), err)
	}
	for _, name := range []string{"loop", "nowhere/x", "d"} {
		if err := writeFile(t.Context(), name, text("x")); err == nil || !strings.HasPrefix(err.Error(), "cannot write "+name+": ") || strings.Contains(err.Error(), ".roostctl") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, dir := range []string{".", "d"} {
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			if strings.HasPrefix(f.Name(), ".roostctl") {
				t.Errorf("%s is left", f.Name())
			}
		}
	}
}

// TestWriteFifo: a fifo stays one, and its reader gets the file.
func TestWriteFifo(t *testing.T) {
	inTemp(t)
	if err := errors.Join(syscall.Mkfifo("fifo", 0o600), os.Symlink("fifo", "link")); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b, _ := os.ReadFile("fifo")
		got <- string(b)
	}()
	err := writeFile(t.Context(), "link", text("ring"))
	if s, _ := os.Stat("fifo"); err != nil || s.Mode()&fs.ModeNamedPipe == 0 {
		t.Fatalf("%v, %v", err, s.Mode())
	}
	if b := <-got; b != "ring" {
		t.Errorf("%q", b)
	}
}

// full fails like a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestAnswerIsLost: what can not be written is no success, and leaves no file.
func TestAnswerIsLost(t *testing.T) {
	inTemp(t)
	if _, err := call(t, "ring build --node a:1 --node b:1 --out a.ring", ""); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"--help", "ring diff --help", "ring diff a.ring a.ring", "ring show a.ring", "ring lookup a.ring x", "ring build --node a:1 --out new.ring",
		"ring plan a.ring --set a:2 --out new.ring", "ring skew a=1", "ring verify --generate 20000 --preset seed"} {
		err := run(context.Background(), strings.Fields(line), nil, full{}, io.Discard)
		if !errors.Is(err, syscall.ENOSPC) || exitCode(err, io.Discard) != 2 {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := os.Stat("new.ring"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("new.ring is written")
	}
}

// TestLookupStopsAtAWholeLine, and at all lines before the bad one.
func TestLookupStopsAtAWholeLine(t *testing.T) {
	inTemp(t)
	if _, err := call(t, "ring build --node a:1 --node b:1 --out a.ring", ""); err != nil {
		t.Fatal(err)
	}
	out, err := call(t, "ring lookup a.ring -", lines(1000)+"bad\tcount\n")
	if err == nil || strings.Count(out, "\n") != 1000 || !strings.HasSuffix(out, "\n") {
		t.Errorf("%v, %d lines, ends with %q", err, strings.Count(out, "\n"), out[max(0, len(out)-20):])
	}
	// A mark before the first line is none of its id, and an id is shown, not obeyed.
	out, err = call(t, "ring lookup a.ring -", "\ufeffdevice\n\x1b[2J\n\ufeff\n")
	if err != nil || !strings.HasPrefix(out, "device\t") || !strings.Contains(out, "\n\"\\x1b[2J\"\t") || !strings.Contains(out, "\n\"\\ufeff\"\t") {
		t.Errorf("%v, %q", err, out)
	}
}

// TestEmptyRing: it takes a word to write a ring in which nobody owns anything.
func TestEmptyRing(t *testing.T) {
	inTemp(t)
	for _, tt := range []struct {
		line string
		code int
		want string
	}{
		{"ring build --node a:1 --node b:1 --out a.ring", 0, "written"},
		{"ring plan a.ring --remove a --remove b", 0, "nobody owns anything after this\n"},
		{"ring plan a.ring --remove a --set b:0 --out zero.ring", 2, "nobody owns anything after this\n"},
		{"ring plan a.ring --remove a --set b:0 --out zero.ring --allow-empty", 0, "written to zero.ring"},
		{"ring build --out none.ring --allow-empty", 0, "written to none.ring"},
		{"ring verify --snapshot zero.ring --generate 50", 2, "nobody owns an id"},
		{"ring verify --snapshot none.ring --generate 50", 2, "verdict: ok"},
		{"ring verify --nodes 3 -", 2, "verdict: none"},
		{"ring lookup zero.ring x", 0, "x\t(nobody)\n"},
	} {
		out, err := call(t, tt.line, "")
		if code := exitCode(err, io.Discard); code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%s: code %d, %v\n%s", tt.line, code, err, out)
		}
		if _, err := os.Stat("zero.ring"); tt.code == 2 && strings.Contains(tt.line, "--out zero") && err == nil {
			t.Errorf("%s has written it", tt.line)
		}
	}
}

// TestDiffOfANode says what of it changes, and nothing else.
func TestDiffOfANode(t *testing.T) {
	inTemp(t)
	for _, line := range []string{"ring build --node a@x:1 --node b:1 --out a.ring", "ring plan a.ring --set a@y:1 --out b.ring"} {
		if _, err := call(t, line, ""); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := call(t, "ring diff a.ring b.ring", ""); err != nil || !strings.Contains(out, "\n~ a, zone \"x\" -> \"y\"\n") {
		t.Errorf("%v, %s", err, out)
	}
}
