package deploy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"roost/server/engines"
)

// patience bounds every wait: passing it is a failure.
const patience = 20 * time.Second

// process is a program under test, with its log.
type process struct {
	*engines.Process
	t    *testing.T
	name string
	log  string
}

// launch starts a program. It is killed at the end of the test with its workers, and
// what it said is shown where that failed.
func launch(t *testing.T, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(path), log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the child has its own
	if p.Process, err = engines.Launch(path, args, nil, log); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	t.Cleanup(func() {
		if p.Alive() { // with its workers, which are in the group that Launch has made for it
			_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
		}
		p.Kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, p.said())
		}
	})
	return p
}

// said is what the program has written.
func (p *process) said() string {
	b, _ := os.ReadFile(p.log)
	return string(b)
}

// stop ends it by SIGTERM and waits.
func (p *process) stop() {
	p.t.Helper()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	select {
	case <-p.Ended():
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
	}
}

// await waits for a state, and fails if the program ends meanwhile.
func (p *process) await(what string, done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if !p.Alive() {
			p.t.Fatalf("%s ended (%s) before it was so: %s", p.name, p.Exit(), what)
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s: not so after %v: %s", p.name, patience, what)
		}
	}
}

// accepts reports whether somebody listens on an address.
func accepts(addr string) bool {
	nc, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	nc.Close()
	return true
}

// freeAddr returns an address of loopback that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := engines.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// adapt replaces what is in a configuration by what a test has. All must occur: a
// test that changes nothing would not try the file that ships.
func adapt(t *testing.T, file string, changes ...string) string {
	t.Helper()
	text := read(t, file)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("%s has no %q", file, changes[i])
		}
		text = strings.ReplaceAll(text, changes[i], changes[i+1])
	}
	path := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
