package experiment

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"roost/loadgen/result"
)

// TestGenerateIsInterrupted: the generator is out of reach of a terminal's
// Ctrl-C, gets our signal, and what it wrote for its end is returned.
func TestGenerateIsInterrupted(t *testing.T) {
	o := options(t, "wait")
	out := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(out, []byte("of before"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, show := io.Pipe()
	defer in.Close()
	group := make(chan int, 1)
	go func() {
		var n int
		line, _ := bufio.NewReader(in).ReadString('\n')
		_, _ = fmt.Sscanf(line, "waiting in group %d", &n)
		group <- n
		cancel()
	}()
	r, _, err := Generate(ctx, Load{Loadgen: o.Loadgen, Args: []string{"fan-out"}, Out: out, Show: show})
	if !errors.Is(err, context.Canceled) || r == nil || r.Verdict != result.Interrupted {
		t.Errorf("got %+v, %v", r, err)
	}
	if n := <-group; n == 0 || n == syscall.Getpgrp() {
		t.Errorf("group %d, ours is %d", n, syscall.Getpgrp())
	}
}

func TestGenerateLeavesNothing(t *testing.T) {
	o := options(t, "fail")
	out := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(out, []byte("of before"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, _, err := Generate(t.Context(), Load{Loadgen: o.Loadgen, Args: []string{"fan-out"}, Out: out}); r != nil || err == nil {
		t.Errorf("got %+v, %v", r, err)
	}
}

// TestFolder: what is there is never written over.
func TestFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	seen := map[string]bool{}
	for range 4 {
		folder, err := Folder("", "million")
		if err != nil || seen[folder] {
			t.Fatalf("%s again, %v", folder, err)
		}
		seen[folder] = true
	}
	for range 2 {
		if folder, err := Folder("given", "million"); err != nil || folder != "given" {
			t.Errorf("%s, %v", folder, err)
		}
	}
}
