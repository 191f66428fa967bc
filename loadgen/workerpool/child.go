package workerpool

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"roost/loadgen/link"
)

// inheritedFD is the descriptor of a child's socket: the first after stderr.
const inheritedFD = 3

// Inherited returns the link to the process that started this one.
func Inherited() (link.Link, error) {
	f := os.NewFile(inheritedFD, "coordinator")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d is no socket to a coordinator: this is started by loadgen run, or give --join: %w", inheritedFD, err)
	}
	l := link.NewConn(c)
	l.Trust()
	return l, nil
}

// spawn starts a worker as a process of its own.
func spawn(i int, o Options, log *log) (*Member, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.ExtraFiles = []*os.File{theirs}
	stderr := log.prefixed(fmt.Sprintf("worker %d: ", i))
	cmd.Stdout, cmd.Stderr = stderr, stderr
	// A process group of its own: Ctrl-C is for the coordinator, which ends its
	// workers in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, gone := make(chan error, 1), make(chan struct{})
	var ended error
	go func() {
		runtime.LockOSThread() // see Goroutines in the package doc
		defer runtime.UnlockOSThread()
		defer close(gone)
		err := cmd.Start()
		started <- err
		if err == nil {
			ended = cmd.Wait()
			stderr.flush()
		}
	}()
	err = <-started
	_ = theirs.Close()
	if err != nil {
		<-gone
		return nil, errors.Join(fmt.Errorf("it cannot be started: %w", err), ours.Close())
	}
	return &Member{
		Where: fmt.Sprintf("process %d", cmd.Process.Pid), link: link.NewConn(ours),
		kill: func() { _ = cmd.Process.Kill() }, // fails if it has ended
		gone: gone,
		exit: func() string {
			<-gone
			if ended == nil {
				return "exit status 0"
			}
			return ended.Error() + stderr.lastLine()
		},
	}, nil
}

// socketpair returns a connection and the file of its other end.
func socketpair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "coordinator")
	c, err := net.FileConn(ours)
	_ = ours.Close() // FileConn has a copy
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return c, theirs, nil
}
