package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"roost/loadgen/result"
)

// load puts the scenario on a server. What loadgen prints goes to a file beside
// the result; its exit code does not matter if there is a result, which says
// itself what it is worth. own is the CPU time of loadgen and its workers.
func (x *experiment) load(ctx context.Context, p *process, round int, file, sayFile string) (r *result.Result, own time.Duration, err error) {
	s := p.server
	args := []string{x.Loadgen, "run", x.Scenario}
	for _, param := range x.Params {
		args = append(args, "-p", param)
	}
	args = append(args, "--url", p.place.fill(s.URL))
	if s.API != "" {
		args = append(args, "--api", p.place.fill(s.API))
	}
	if s.Dialect != "" {
		args = append(args, "--dialect", s.Dialect)
	}
	args = append(args, "--pid", strconv.Itoa(p.cmd.Process.Pid), "--out", file,
		"--label", "server="+s.Name, "--label", "round="+strconv.Itoa(round))
	for _, extra := range x.Extra {
		args = append(args, p.place.fill(extra))
	}
	words, err := pinned(args, x.LoadgenCPUs)
	if err != nil {
		return nil, 0, err
	}
	say, err := newLog(sayFile)
	if err != nil {
		return nil, 0, err
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = say, say
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches it through us
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	err = errors.Join(cmd.Run(), say.close())
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if s := cmd.ProcessState; s != nil {
		own = s.UserTime() + s.SystemTime()
	}
	if _, missing := os.Stat(file); missing != nil {
		return nil, own, fmt.Errorf("loadgen left no result (%w); the end of %s:\n%s", err, sayFile, lastLines(sayFile, 20))
	}
	r, err = result.ReadFile(file)
	return r, own, err
}
