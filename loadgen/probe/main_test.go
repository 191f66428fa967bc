package probe

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"roost/server/testbin"
)

// binDir holds the server that the tests build, once.
var binDir string

func TestMain(m *testing.M) {
	var err error
	if binDir, err = os.MkdirTemp("", "probe"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println(err)
		code = 1
	}
	os.RemoveAll(binDir)
	os.Exit(code)
}

var buildRoostd = sync.OnceValues(func() (string, error) {
	return filepath.Join(binDir, "roostd"), testbin.Into(binDir, "roostd")
})

// node is a real server.
type node struct {
	cmd         *exec.Cmd
	listen, api string
}

// startNode starts one and waits until it is ready; the test's end kills it.
func startNode(t *testing.T) *node {
	t.Helper()
	bin, err := buildRoostd()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{cmd: exec.Command(bin, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--auth=none")}
	n.cmd.Env = append(os.Environ(), "GOGC=150")
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.kill() })
	for s := bufio.NewScanner(out); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "ready "); ok {
			for _, f := range strings.Fields(rest) {
				name, value, _ := strings.Cut(f, "=")
				switch name {
				case "listen":
					n.listen = value
				case "api":
					n.api = "http://" + value
				}
			}
			return n
		}
	}
	t.Fatal("the node ended before it was ready")
	return nil
}

// kill ends it and waits, so that its id is free.
func (n *node) kill() {
	if n.cmd.ProcessState == nil {
		n.cmd.Process.Kill()
		n.cmd.Wait()
	}
}

// within gives a test's call its time.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
