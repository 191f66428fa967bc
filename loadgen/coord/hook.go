package coord

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"roost/loadgen/scenario"
)

// Bounds of a hook.
const (
	hookTimeout = time.Minute
)

// hook calls the command of a storm that the server is to cause, at the phase's
// begin. The end of what it prints is kept, and pid=NNN anywhere in it says which
// process the server is from now on. One that fails ends the phase, and with it the run:
// what was to be measured has not happened.
func (r *run) hook(p *phase) {
	storm := p.spec.Storm
	if storm == nil || storm.How != scenario.CloseServer || storm.Hook == "" {
		return
	}
	command := r.s.Server.Kill
	if storm.Hook == "restart" {
		command = r.s.Server.Restart
	}
	if command == "" {
		p.failed, r.hookFailed = fmt.Sprintf("there is no command for the hook %s: give server.%[1]s", storm.Hook), true
		return
	}
	p.hooked = false
	r.inBackground(func(ctx context.Context) func() {
		out, pid, err := runHook(ctx, command, p.spec.Name)
		return func() {
			p.hooked = true
			if err != nil {
				p.failed = fmt.Sprintf("hook %s failed: %v", storm.Hook, err)
				r.hookFailed = true
			}
			if out != "" {
				r.note("hook %s of phase %s: %s", storm.Hook, p.spec.Name, out)
			}
			if pid != 0 && r.o.Probe != nil {
				r.o.Probe.Moved(pid)
			}
		}
	})
}

// runHook runs a shell command in a process group of its own, with which all
// ends that it has started in the foreground when it takes too long. A server
// that it leaves in the background must not keep its output.
func runHook(ctx context.Context, command, phase string) (said string, pid int, err error) {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(cmd.Environ(), "LOADGEN_PHASE="+phase)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // output that somebody else still holds
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	switch {
	case errors.Is(err, exec.ErrWaitDelay):
		err = nil // it has ended; what it left running has our pipe
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("it took more than %v and was killed", hookTimeout)
	}
	return out.text(), out.process(), err
}
