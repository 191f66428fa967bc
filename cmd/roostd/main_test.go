package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"roost/server/inbox"

	"go.uber.org/goleak"
)

// asRoostd is the environment variable that makes this binary a roostd, for tests
// that need one in a process of its own.
const asRoostd = "ROOSTD_OF_A_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asRoostd) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// TestRun: from the command line to ready, and from the signal to a clean end.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan error, 1)
	var log bytes.Buffer
	go func() {
		done <- run(ctx, []string{"--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--auth", "none", "--data-dir", t.TempDir(), "--echo", "--deflate", "--guide"}, w, &log)
		w.Close()
	}()
	out := bufio.NewReader(r)
	line, err := out.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready listen=127.0.0.1:") {
		t.Fatalf("first line %q, %v; log: %s", line, err, log.String())
	}
	api := line[strings.Index(line, "api=")+4 : len(line)-1]
	guide := make(chan string)
	go func() {
		rest, _ := io.ReadAll(out)
		guide <- string(rest)
	}()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + api + "/readyz")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("readyz: %v, %v", resp, err)
	}
	resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"ws://127.0.0.1:", "/v1/publish", "/metrics", "curl ", "loadgen listen"} {
		if g := <-guide; !strings.Contains(g, want) {
			t.Errorf("the guide does not say %q:\n%s", want, g)
		} else {
			go func() { guide <- g }()
		}
	}
	<-guide
}

func TestBadFlags(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--io-uring", "maybe"}, `io-uring is "maybe"`},
		{[]string{"serve"}, `unexpected argument "serve"`},
		{[]string{"--listen", "0.0.0.0:8080"}, "not a loopback"},
		{[]string{"--auth", "jwt"}, `auth "jwt" is unknown`},
		{[]string{"--data-dir", "/proc/nowhere"}, "data-dir"},
		{[]string{"--inbox", "file"}, "--data-dir"},
		{[]string{"--inbox", "cloud"}, "want memory, file or redis"},
		{[]string{"--nonsense"}, "not defined"},
	} {
		err := run(context.Background(), tt.args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.args, err, tt.want)
		}
	}
}

// TestDataDirIsTaken: two processes never share an inbox.
func TestDataDirIsTaken(t *testing.T) {
	dir := t.TempDir()
	open := func() (inbox.Store, error) {
		return openInbox(&settings{inbox: "file", dataDir: dir}, slog.New(slog.DiscardHandler))
	}
	first, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "pid ") {
		t.Errorf("second: %v", err)
	}
	first.Close()
	if first, err = open(); err != nil {
		t.Fatalf("after the first one ended: %v", err)
	}
	first.Close()
}
