// Package deploy has the files that docs/DEPLOY.md speaks of: a systemd unit, manifests
// for Kubernetes, configurations of haproxy, nginx, Redis and etcd, and alerts. Its
// tests hold them to the roostd that is built from here, with the real programs. A
// program that is missing fails them: what was not tried has not passed.
package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"roost/server/testbin"
)

// roostd is the path of the server, built once for all tests.
var roostd string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "roost-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	roostd = filepath.Join(dir, "roostd")
	code := 1
	if err := testbin.Into(dir, "roostd"); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else if code = m.Run(); code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// flagLine is a flag in the usage text.
var flagLine = regexp.MustCompile(`(?m)^  -([a-z-]+)`)

// knownFlags are the flags that roostd has, without dashes.
var knownFlags = sync.OnceValue(func() []string {
	out, _ := exec.Command(roostd, "--help").CombinedOutput() // it ends with 0 or 2
	var names []string
	for _, m := range flagLine.FindAllStringSubmatch(string(out), -1) {
		names = append(names, m[1])
	}
	return names
})

// flags are what a command line sets.
type flags map[string]string

var oneFlag = regexp.MustCompile(`^--([a-z-]+)(?:=(.*))?$`)

// parseFlags reads a command line and fails for flags that roostd has not.
func parseFlags(t *testing.T, args []string) flags {
	t.Helper()
	set := flags{}
	for i := 0; i < len(args); i++ {
		m := oneFlag.FindStringSubmatch(args[i])
		if m == nil {
			t.Fatalf("%q is no flag", args[i])
		}
		if !slices.Contains(knownFlags(), m[1]) {
			t.Errorf("roostd has no --%s; it has %v", m[1], knownFlags())
		}
		if m[2] == "" && i+1 < len(args) && oneFlag.FindString(args[i+1]) == "" {
			i++
			m[2] = args[i]
		}
		set[m[1]] = m[2]
	}
	return set
}

// need returns the path of a program, and fails the test where it is missing.
func need(t *testing.T, program, pkg string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + program); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: make test installs it: apt-get install %s", program, pkg)
	return ""
}

// read returns a file of this folder.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
