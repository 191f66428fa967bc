package dialect

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The real servers of the dialects are programs of a module of their own.
const peersDir = "peers"

// binDir is where they are built to, by buildPeers; TestMain removes it.
var binDir string

// buildPeers builds those in Go, once.
var buildPeers = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "dialect-peers")
	if err != nil {
		return err
	}
	binDir = dir
	cmd := exec.Command("go", "build", "-o", dir+"/", "./...")
	cmd.Dir = peersDir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", peersDir, err, out)
	}
	return nil
})

// installSocketIO installs the packages of the Node server, once; it returns
// where.
var installSocketIO = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dialect-socketio")
	if err != nil {
		return "", err
	}
	nodeDir = dir
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(peersDir, "socketio"))); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return dir, nil
})

var nodeDir string // of installSocketIO; TestMain removes it

// startPeer runs a server that says its address and ends with its stdin.
func startPeer(t *testing.T, cmd *exec.Cmd) (addr string) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", cmd, err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: said %q: %v", cmd, line, err)
	}
	return strings.TrimSpace(line)
}

// goPeer runs one of the servers in Go.
func goPeer(t *testing.T, name string, args ...string) (addr string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds servers of other libraries")
	}
	if err := buildPeers(); err != nil {
		t.Fatal(err)
	}
	return startPeer(t, exec.Command(filepath.Join(binDir, name), args...))
}

// socketIOPeer runs the server in Node, where there is one.
func socketIOPeer(t *testing.T, args ...string) (addr string) {
	t.Helper()
	if testing.Short() {
		t.Skip("installs packages for Node")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NOT TESTED against a real Socket.IO: there is no %s", tool)
		}
	}
	dir, err := installSocketIO()
	if err != nil {
		t.Skipf("NOT TESTED against a real Socket.IO: %v", err)
	}
	cmd := exec.Command("node", append([]string{"server.js"}, args...)...)
	cmd.Dir = dir
	return startPeer(t, cmd)
}

// subject is a dialect with a real server of it.
type subject struct {
	dialect string
	cfg     Config
	addr    string
	api     string
	stop    func() // ends all connections from the server's side
	also    []string
}

func subjects() map[string]func(t *testing.T) subject {
	post := func(t *testing.T, url string) func() {
		return func() {
			resp, err := http.Post(url, "text/plain", nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			http.DefaultClient.CloseIdleConnections()
		}
	}
	roost := func(format string) func(t *testing.T) subject {
		return func(t *testing.T) subject {
			s := startNode(t)
			api := "http://" + s.APIAddr().String()
			return subject{dialect: "roost", addr: s.Addr().String(), api: api, cfg: Config{API: api, Format: format, Resume: true},
				stop: func() {
					for i := range uint32(3) {
						if err := s.Disconnect(t.Context(), deviceName(i)); err != nil {
							t.Error(err)
						}
					}
				}}
		}
	}
	return map[string]func(t *testing.T) subject{
		"roost json": roost("json"),
		"roost bin":  roost("bin"),
		"plain": func(t *testing.T) subject {
			s := startNode(t)
			return subject{dialect: "plain", addr: s.Addr().String(), cfg: Config{Path: "/v1/echo", To: []string{"self"}}}
		},
		"centrifugo socket": func(t *testing.T) subject {
			addr := goPeer(t, "centrifuge")
			return subject{dialect: "centrifugo", addr: addr, stop: nil}
		},
		"centrifugo api": func(t *testing.T) subject {
			addr := goPeer(t, "centrifuge")
			return subject{dialect: "centrifugo", addr: addr, api: "http://" + addr, cfg: Config{API: "http://secret@" + addr}}
		},
		"centrifugo itself": centrifugoItself,
		"mqtt mosquitto":    mosquitto,
		"mqtt": func(t *testing.T) subject {
			return subject{dialect: "mqtt", addr: goPeer(t, "mqtt"), cfg: Config{Resume: true}, also: []string{"kept"}}
		},
		"socketio": func(t *testing.T) subject {
			addr := socketIOPeer(t)
			return subject{dialect: "socketio", addr: addr, stop: post(t, "http://"+addr+"/stop")}
		},
	}
}

// TestContract is what all dialects have to do, against real servers: greet,
// subscribe, deliver to everybody, a topic, one client and oneself, and all of
// it once more on a second connection.
func TestContract(t *testing.T) {
	for name, start := range subjects() {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.cfg.Name, s.cfg.Clients = deviceName, 3
			s.cfg.Topics = func(i uint32) []string {
				return [][]string{nil, {"one", "two"}, {"two"}}[i]
			}
			r := newRig(t, s.addr, s.dialect, s.cfg)
			for round := range 2 {
				var conns []*rigConn
				for i := range uint32(3) {
					conns = append(conns, r.dial(i))
				}
				r.until("all are greeted", func() bool { return r.ready == 3*(round+1) })
				for _, class := range append([]string{"", "live"}, s.also...) {
					checkAudiences(t, r, s, conns, class)
				}
				if len(r.failed) > 0 || len(r.refused) > 0 {
					t.Fatalf("failed %v, refused %v", r.failed, r.refused)
				}
				if s.stop != nil {
					s.stop()
					r.until("the server has ended all", func() bool { return len(r.conns) == 0 })
				} else {
					for _, c := range conns {
						c.end(End{})
					}
				}
				for _, w := range r.waits {
					if w < 0 || w > time.Minute {
						t.Errorf("a client is to wait %v", w)
					}
				}
				r.waits, r.failed = nil, nil // that the server says goodbye is no surprise now
				for i := range uint32(3) {
					if at := r.d.Deadline(i); at != 0 {
						t.Errorf("client %d has no connection and a deadline, %v", i, at)
					}
				}
			}
		})
	}
}

// checkAudiences publishes to all audiences that the dialect has and compares
// who gets it.
func checkAudiences(t *testing.T, r *rig, s subject, conns []*rigConn, class string) {
	t.Helper()
	for _, c := range []struct {
		to, name string
		want     []uint32
	}{
		{"all", "", []uint32{0, 1, 2}},
		{"topic", "two", []uint32{1, 2}},
		{"topic", "one", []uint32{1}},
		{"device", deviceName(2), []uint32{2}},
		{"self", "", []uint32{0}},
	} {
		if s.cfg.To != nil && !slices.Contains(s.cfg.To, c.to) {
			continue
		}
		if r.d.Supports(c.to, class) != nil {
			if c.to != "self" && c.to != "node" {
				t.Errorf("to %s is not supported", c.to)
			}
			continue
		}
		text := fmt.Sprintf("to %s %s, %s", c.to, c.name, class)
		r.got, r.by = nil, nil
		if err := r.publish(s.api, conns[0], &Message{To: c.to, Name: c.name, Class: class, Payload: []byte(text)}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		r.until(text, func() bool { return len(r.got) >= len(c.want) })
		slices.Sort(r.by)
		if !slices.Equal(r.by, c.want) || slices.ContainsFunc(r.got, func(got string) bool { return got != text }) {
			t.Errorf("%s: %v got %q, want %v", text, r.by, r.got, c.want)
		}
	}
}
