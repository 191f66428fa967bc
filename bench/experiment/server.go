package experiment

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is a server that runs.
type process struct {
	place   place
	server  *Server
	cmd     *exec.Cmd
	log     *logFile
	logPath string
	took    time.Duration // from the start to ready
	exited  chan struct{} // closed when it has ended, as err says
	err     error
}

// start starts a server and waits until it is ready: it says so, or it accepts
// on the ports that its command names.
func start(ctx context.Context, s *Server, cpus, logPath string, most time.Duration) (p *process, err error) {
	p = &process{server: s, logPath: logPath, exited: make(chan struct{})}
	if p.place, err = newPlace(s.Name); err != nil {
		return nil, err
	}
	if p.log, err = newLog(logPath); err != nil {
		os.RemoveAll(p.place.dir)
		return nil, err
	}
	words, err := pinned(s.Command, cpus)
	if err == nil {
		for i := range words {
			words[i] = p.place.fill(words[i])
		}
		p.cmd = exec.Command(words[0], words[1:]...)
		p.cmd.Env = os.Environ()
		for _, e := range s.Env {
			p.cmd.Env = append(p.cmd.Env, p.place.fill(e))
		}
		p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ours alone gets the terminal's Ctrl-C
		p.cmd.WaitDelay = time.Second                           // grandchildren may hold the pipe
		err = p.cmd.Start()
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("server %s: %w", s.Name, err), p.log.close(), os.RemoveAll(p.place.dir))
		return nil, err
	}
	began := time.Now()
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	if err := p.waitReady(ctx, most); err != nil {
		p.kill()
		return nil, errors.Join(fmt.Errorf("server %s: %w; the end of %s:\n%s", s.Name, err, logPath, lastLines(logPath, 20)), p.clean())
	}
	p.took = time.Since(began)
	return p, nil
}

// pinned is a command that runs on some CPUs.
func pinned(command []string, cpus string) ([]string, error) {
	words := append([]string{}, command...)
	if cpus == "" {
		return words, nil
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return nil, fmt.Errorf("CPUs %s: taskset (of util-linux) pins processes and is not there: %w", cpus, err)
	}
	return append([]string{taskset, "-c", cpus}, words...), nil
}

// waitReady waits until the server is ready.
func (p *process) waitReady(ctx context.Context, most time.Duration) error {
	late := time.After(most)
	for {
		select {
		case <-p.log.ready:
			return nil
		case <-p.exited:
			return fmt.Errorf("ended before it was ready (%v)", p.cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("was not ready within %v: neither a line that begins with %q nor an open port", most, readyWord)
		case <-time.After(20 * time.Millisecond):
			if p.accepts() {
				return nil
			}
		}
	}
}

// accepts reports whether all ports that the command names are open.
func (p *process) accepts() bool {
	ports := p.place.ports(p.server.Command)
	for _, port := range ports {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), time.Second)
		if err != nil {
			return false
		}
		c.Close()
	}
	return len(ports) > 0
}

// alive says why a server that should run does not.
func (p *process) alive() error {
	select {
	case <-p.exited:
		return fmt.Errorf("server %s ended under load (%v); the end of %s:\n%s", p.server.Name, p.cmd.ProcessState, p.logPath, lastLines(p.logPath, 20))
	default:
		return nil
	}
}

// stop asks the server to end and kills it when it does not. How it ends is not
// part of the measurement; that it had to be killed is worth a remark.
func (p *process) stop(most time.Duration) (remark string, err error) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(most):
		remark = fmt.Sprintf("did not end within %v of SIGTERM and was killed", most)
	}
	p.kill()
	return remark, p.clean()
}

// kill ends the process and what it has started.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// clean closes the log and removes the directory.
func (p *process) clean() error { return errors.Join(p.log.close(), os.RemoveAll(p.place.dir)) }
