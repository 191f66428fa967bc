package engines

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// refuser is a TB that keeps what a test would have ended with.
type refuser struct {
	testing.TB
	said string
}

func (r *refuser) Helper() {}
func (r *refuser) Fatalf(format string, args ...any) {
	r.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMissingServerFails(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	r := &refuser{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		StartRedis(r)
	}()
	<-done
	if !strings.Contains(r.said, "make test installs it: apt-get install redis-server") {
		t.Errorf("a machine without redis-server says %q", r.said)
	}
}

func TestBadArgumentsAreTold(t *testing.T) {
	need(t)
	r := &refuser{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		StartRedis(r, "--no-such-setting", "yes")
	}()
	<-done
	if !strings.Contains(r.said, "no-such-setting") {
		t.Errorf("a server that refuses its arguments says %q, without the log", r.said)
	}
}

func need(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not installed: make test installs it: apt-get install redis-server")
	}
}

func TestKillLosesAndKeepsWhatItShould(t *testing.T) {
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"memory", nil, ""},
		{"synced", []string{"--appendonly", "yes", "--appendfsync", "always"}, "1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := StartRedis(t, row.args...)
			addr := s.Addr()
			s.Text("SET", "k", "1")
			s.Kill()
			if s.Alive() || s.Pid() != 0 {
				t.Fatal("a killed server lives")
			}
			if _, err := s.Do("PING"); err == nil {
				t.Fatal("a killed server answers")
			}
			s.Restart()
			if got := s.Text("GET", "k"); got != row.want || s.Addr() != addr {
				t.Errorf("after the restart: %q at %s, want %q at %s", got, s.Addr(), row.want, addr)
			}
			s.Restart() // of one that runs
			if got := s.Text("GET", "k"); got != row.want {
				t.Errorf("after the second restart: %q, want %q", got, row.want)
			}
		})
	}
}

func TestPauseAndResume(t *testing.T) {
	s := StartRedis(t)
	s.Pause()
	Await(t, "the process is stopped", func() bool { return state(t, s.Pid()) == "T" })
	s.Resume()
	if got := s.Text("PING"); got != "PONG" {
		t.Errorf("a resumed server says %q", got)
	}
	s.Pause()
	s.Kill() // a paused one too
	s.Restart()
	s.Pause()
	s.Stop() // resumes it first
	if s.Alive() {
		t.Error("a stopped server lives")
	}
}

// state is the letter of /proc/PID/stat: T for a stopped process.
func state(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(b[bytes.LastIndexByte(b, ')')+2])
}

// TestServersDieWithTheTest starts a server from a process that then ends without cleaning up.
func TestServersDieWithTheTest(t *testing.T) {
	need(t)
	binary, _ := exec.LookPath("redis-server")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROOST_ENGINES_DIE="+binary, "ROOST_ENGINES_DIR="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var port int
	var said string
	if _, err := fmt.Sscan(string(out), &port, &said); err != nil || said != "<nil>" {
		t.Fatalf("the process said %q", out)
	}
	Await(t, "the server is gone", func() bool {
		_, err := do(fmt.Sprintf("127.0.0.1:%d", port), "PING")
		return err != nil
	})
}

func TestReplies(t *testing.T) {
	s := StartRedis(t)
	s.Text("SET", "a", "x\r\ny")
	s.Text("RPUSH", "l", "1", "2")
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"GET", "a"}, `"x\r\ny"`},
		{[]string{"GET", "none"}, "<nil>"},
		{[]string{"LLEN", "l"}, "2"},
		{[]string{"LRANGE", "l", "0", "-1"}, `[]interface {}{"1", "2"}`},
	} {
		v, err := s.Do(row.args...)
		if got := fmt.Sprintf("%#v", v); err != nil || got != row.want {
			t.Errorf("%v: %s, %v; want %s", row.args, got, err, row.want)
		}
	}
	_, err := s.Do("NOSUCH")
	if _, ok := err.(ReplyError); !ok {
		t.Errorf("an unknown command: %v, want a ReplyError", err)
	}
}
