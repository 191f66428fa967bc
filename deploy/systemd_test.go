package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// unit is a systemd unit: values by section and key, in order.
type unit map[string][]string

// parseUnit reads a unit with its continued lines.
func parseUnit(text string) unit {
	u, section := unit{}, ""
	text = regexp.MustCompile(`(?m)^[#;].*\n`).ReplaceAllString(text, "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		} else if key, value, ok := strings.Cut(line, "="); ok {
			u[section+"."+key] = append(u[section+"."+key], value)
		}
	}
	return u
}

func (u unit) one(t *testing.T, key string) string {
	t.Helper()
	if len(u[key]) != 1 {
		t.Fatalf("%s is %q, want one", key, u[key])
	}
	return u[key][0]
}

func (u unit) duration(t *testing.T, key string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(u.one(t, key))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return d
}

// afterDrain is what a node needs at its end beside --drain: 3 s until the others have a
// ring without it, 10 s for devices that are late, 2.5 s for the last close frames, 2 s
// for the API, some for Redis and etcd.
const afterDrain = 20 * time.Second

// TestUnit: flags are roostd's, variables are in the environment file, and a drain has
// the time that it was given.
func TestUnit(t *testing.T) {
	u := parseUnit(read(t, "systemd/roostd.service"))
	env := map[string]bool{}
	for line := range strings.Lines(read(t, "systemd/roostd.env")) {
		if name, _, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			env[name] = true
		}
	}
	args := strings.Fields(u.one(t, "Service.ExecStart"))
	set := parseFlags(t, args[1:])
	for flag, value := range set {
		if v, ok := strings.CutPrefix(value, "${"); ok && !env[strings.TrimSuffix(v, "}")] {
			t.Errorf("--%s is %s, which roostd.env does not set", flag, value)
		}
	}
	drain, err := time.ParseDuration(set["drain"])
	if stop := u.duration(t, "Service.TimeoutStopSec"); err != nil || stop < drain+afterDrain {
		t.Errorf("a drain of %v (%v) and %v after it do not fit into TimeoutStopSec=%v", drain, err, afterDrain, stop)
	}
	if set["data-dir"] != "/var/lib/"+u.one(t, "Service.StateDirectory") {
		t.Errorf("data-dir %s is not the StateDirectory", set["data-dir"])
	}
}

// TestUnitVerifies: systemd finds nothing wrong with the unit.
func TestUnitVerifies(t *testing.T) {
	analyze := need(t, "systemd-analyze", "systemd")
	dir := t.TempDir()
	text := strings.Replace(read(t, "systemd/roostd.service"), "/usr/local/bin/roostd", roostd, 1)
	text = strings.Replace(text, "/etc/roost/roostd.env", filepath.Join(dir, "roostd.env"), 1)
	text = regexp.MustCompile(`(?m)^(User|Group)=.*\n`).ReplaceAllString(text, "") // not on this machine
	path := filepath.Join(dir, "roostd.service")
	for file, content := range map[string]string{path: text, filepath.Join(dir, "roostd.env"): read(t, "systemd/roostd.env")} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), path) || strings.Contains(string(out), "roostd.service") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestUnitAllowsWhatRoostdCalls: the filter of system calls has what the event loops,
// the store and Go's runtime use.
func TestUnitAllowsWhatRoostdCalls(t *testing.T) {
	analyze := need(t, "systemd-analyze", "systemd")
	u := parseUnit(read(t, "systemd/roostd.service"))
	allowed := map[string]bool{}
	for _, list := range u["Service.SystemCallFilter"] {
		names, not := strings.CutPrefix(list, "~")
		for _, name := range strings.Fields(names) {
			expand(t, analyze, name, func(call string) { allowed[call] = !not })
		}
	}
	for _, call := range []string{"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2", "timerfd_create", "timerfd_settime",
		"accept4", "sendto", "writev", "readv", "recvmsg", "getpeername", "setsockopt", "io_uring_setup", "io_uring_enter", "io_uring_register",
		"prlimit64", "fdatasync", "fallocate", "renameat", "flock", "futex", "clone", "madvise", "mmap", "mprotect", "sched_getaffinity", "tgkill", "rt_sigaction"} {
		if !allowed[call] {
			t.Errorf("%s is not allowed", call)
		}
	}
	for _, call := range []string{"mount", "reboot", "init_module", "setuid", "chroot", "bpf", "ptrace"} {
		if allowed[call] {
			t.Errorf("%s is allowed", call)
		}
	}
	if families := strings.Fields(u.one(t, "Service.RestrictAddressFamilies")); !slices.Contains(families, "AF_UNIX") || !slices.Contains(families, "AF_INET6") {
		t.Errorf("families %v: the guard of the port is an AF_UNIX socket, devices come by IPv4 and IPv6", families)
	}
}

// expand calls f for each system call of a set, or for a call itself.
func expand(t *testing.T, analyze, name string, f func(call string)) {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		f(name)
		return
	}
	out, err := exec.Command(analyze, "syscall-filter", name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if line != "" && line != name && !strings.HasPrefix(line, "#") {
			expand(t, analyze, line, f)
		}
	}
}
