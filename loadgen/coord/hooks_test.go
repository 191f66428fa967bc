package coord

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"roost/loadgen/result"
)

func TestHooks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "called")
	storm := "{name: storm, storm: {how: server, hook: restart}, until: restored, timeout: 20s}"
	withHook := func(command string) Options {
		return options(phases(t, 10, rampPhase, storm, "server: {restart: '"+command+"'}"), 1, "", nil)
	}
	left := filepath.Join(t.TempDir(), "left")
	t.Cleanup(func() { // what the hook leaves running
		text, err := os.ReadFile(left)
		pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
		if err = errors.Join(err, bad); err == nil {
			err = killGroup(pid)
		}
		if err != nil {
			t.Error(err)
		}
	})
	res := mustRun(t, withHook("echo $LOADGEN_PHASE > "+file+"; echo pid=4711; sleep 600 & echo $! > "+left))
	if got, err := os.ReadFile(file); err != nil || string(got) != "storm\n" {
		t.Errorf("%q, %v", got, err)
	}
	if res.Verdict != result.Valid || !strings.Contains(strings.Join(res.Notes, "\n"), "pid=4711") {
		t.Errorf("verdict %s, notes %q", res.Verdict, res.Notes)
	}
}

// TestHookThatFailsEndsThePhase at once, whatever it waits for, and the run
// says why.
func TestHookThatFailsEndsThePhase(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"until: restored, timeout: 1h", "for: 1h"} {
		// Nobody is cut, so nothing else would end the phase.
		s := phases(t, 1, rampPhase, "{name: before, for: 100ms}", "{name: storm, storm: {how: server, hook: restart}, "+end+"}", holdAgain,
			"server: {restart: 'echo no such server >&2; exit 7'}")
		res := mustRun(t, options(s, 1, "nobody is cut", nil))
		p := res.Phases[len(res.Phases)-1]
		if p.Name != "storm" || p.Outcome != aborted || res.Verdict != result.Breached {
			t.Errorf("%s: phase %s %s after %v, verdict %s", end, p.Name, p.Outcome, p.Length, res.Verdict)
		}
		for _, want := range []string{"phase storm ended early: aborted: hook restart failed: exit status 7", "no such server"} {
			if !strings.Contains(strings.Join(res.Notes, "\n"), want) {
				t.Errorf("%s: notes %q, want %q", end, res.Notes, want)
			}
		}
	}
}

// TestStderrOfWorkersIsShown, with whose it is.
