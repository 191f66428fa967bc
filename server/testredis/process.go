package testredis

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is one run of a program.
type process struct {
	pid   int
	ended chan struct{} // closed once it is gone and waited for
}

// launch starts a program that dies with this process.
func launch(path string, args []string, log *os.File) (*process, error) {
	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends the signal when the thread that started the child
		// ends, not the process: so this one stays as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd := exec.Command(path, args...)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in its log
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// alive reports whether it has not been seen to end.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// signal sends one, unless it has ended: its number may be another's by then.
func (p *process) signal(s syscall.Signal) error {
	if !p.alive() {
		return os.ErrProcessDone
	}
	return syscall.Kill(p.pid, s)
}

// kill ends it at once and waits until it is gone.
func (p *process) kill() {
	if p.signal(syscall.SIGKILL) == nil {
		<-p.ended
	}
}
