package peers

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binDir holds the servers built for this run, so that a bench which runs from
// ./bin meanwhile is not disturbed.
var binDir string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binDir = dir
	build := exec.Command("./build.sh")
	build.Env = append(os.Environ(), "OUT="+dir)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build.sh: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// info is what GET /info must hold; pointers tell missing from false.
type info struct {
	Name, Version, Note       string
	Echo, Broadcast, Compress *bool
	Threads, Hello            *int
}

// server is a running peer.
type server struct {
	t             testing.TB
	data, control string
	info          info
	cmd           *exec.Cmd
}

// exitUnsupported is how cfloor says that this kernel cannot do what was asked.
const exitUnsupported = 3

// start runs a peer until the end of the test, where it must leave with 0 on
// SIGTERM and must not have said anything on stdout after "ready".
func start(t testing.TB, name string, args ...string) *server {
	t.Helper()
	s := &server{t: t, data: freeAddr(t), control: freeAddr(t)}
	args = append([]string{"--listen", s.data, "--control", s.control}, args...)
	s.cmd = exec.Command(filepath.Join(binDir, name), args...)
	s.cmd.Stderr = testWriter{t}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	if line != "ready\n" {
		_ = s.cmd.Process.Kill()
		var exit *exec.ExitError
		if werr := s.cmd.Wait(); errors.As(werr, &exit) && exit.ExitCode() == exitUnsupported {
			t.Skip("not supported here")
		}
		t.Fatalf("first line %q, %v", line, err)
	}
	t.Cleanup(func() { s.stop(out) })
	s.get("/info", &s.info)
	return s
}

func (s *server) stop(stdout io.Reader) {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("SIGTERM: %v", err)
	}
	kill := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	if rest, _ := io.ReadAll(stdout); len(rest) > 0 {
		s.t.Errorf("more on stdout than ready: %q", rest)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("exit on SIGTERM: %v", err)
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("stderr: %s", strings.TrimSpace(string(p)))
	return len(p), nil
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

var httpClient = &http.Client{Timeout: 2 * patience}

func (s *server) get(path string, v any) {
	s.t.Helper()
	resp, err := httpClient.Get("http://" + s.control + path)
	s.decode(resp, err, v)
}

func (s *server) decode(resp *http.Response, err error, v any) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s", resp.Request.URL, resp.Status)
	}
	if err = json.NewDecoder(resp.Body).Decode(v); err != nil {
		s.t.Fatalf("%s: %v", resp.Request.URL, err)
	}
}

// post returns the status of an answer without a body of interest.
func (s *server) post(path, body string) int {
	s.t.Helper()
	resp, err := httpClient.Post("http://"+s.control+path, "", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// broadcast returns to how many connections the server says it sent.
func (s *server) broadcast(payload string) int {
	s.t.Helper()
	var v struct{ Sent int }
	resp, err := httpClient.Post("http://"+s.control+"/broadcast", "", strings.NewReader(payload))
	s.decode(resp, err, &v)
	return v.Sent
}

// awaitConns polls until the server counts n connections.
func (s *server) awaitConns(n int) {
	s.t.Helper()
	var v struct{ Conns int }
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s.get("/conns", &v); v.Conns == n {
			return
		}
	}
	s.t.Fatalf("%d connections, want %d", v.Conns, n)
}
