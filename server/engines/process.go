package engines

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Process is one run of a program. It dies with the process that launched it. Its
// methods may be called from any goroutine.
type Process struct {
	pid   int
	ended chan struct{} // closed once it is gone and waited for

	// Written before ended is closed.
	state *os.ProcessState
}

// Launch starts a program in a process group of its own, so that a terminal's
// Ctrl-C is the launcher's alone. env is added to the launcher's; what it writes
// goes to log.
func Launch(path string, args, env []string, log *os.File) (*Process, error) {
	p := &Process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends the signal when the thread that started the child
		// ends, not the process: so this one stays as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd := exec.Command(path, args...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in its log, and in state
		p.state = cmd.ProcessState
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Pid returns its number, also once it has ended.
func (p *Process) Pid() int { return p.pid }

// Ended is closed once the process is gone and waited for.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Exit says how it ended, as "exit status 1" or "signal: killed"; it waits for that.
func (p *Process) Exit() string {
	<-p.ended
	return p.state.String()
}

// Alive reports whether it has not been seen to end.
func (p *Process) Alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Signal sends one. For a process that has ended it is os.ErrProcessDone: its
// number may be another's by then.
func (p *Process) Signal(s syscall.Signal) error {
	if !p.Alive() {
		return os.ErrProcessDone
	}
	return syscall.Kill(p.pid, s)
}

// Kill ends it at once and waits until it is gone.
func (p *Process) Kill() {
	if p.Signal(syscall.SIGKILL) == nil {
		<-p.ended
	}
}
