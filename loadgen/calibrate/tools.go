package calibrate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"roost/loadgen/coord"
	"roost/loadgen/faultserver"
	"roost/loadgen/live"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
)

// Tools are the processes that a calibration is made with.
type Tools struct {
	Worker []string // command of a worker: workerpool.Inherited, worker.Serve
	Server []string // command that does faultserver.Serve; --listen A and --behave B are appended
	Env    []string // of both, beside this process's
	Log    io.Writer
}

// server is a process of known behaviour.
type server struct {
	addr   string
	stdin  io.Closer
	cmd    *exec.Cmd
	stderr *bytes.Buffer
}

// startTimeout is how long a server may take until it listens.
const startTimeout = 10 * time.Second

// serve starts a server. It ends with stop, or with this process.
func (t *Tools) serve(ctx context.Context, b faultserver.Faults) (*server, error) {
	args := append(t.Server[1:len(t.Server):len(t.Server)], "--listen", "127.0.0.1:0", "--behave", b.String())
	s := &server{cmd: exec.CommandContext(ctx, t.Server[0], args...), stderr: &bytes.Buffer{}}
	s.cmd.Env = append(os.Environ(), t.Env...)
	s.cmd.Stderr = s.stderr
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("server of known behaviour: %w", err)
	}
	s.stdin = in
	late := time.AfterFunc(startTimeout, func() { _ = s.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	late.Stop()
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if err != nil || !ok {
		return nil, fmt.Errorf("server of known behaviour: it said %q instead of where it listens: %w", line, errors.Join(err, s.stop()))
	}
	s.addr = addr
	return s, nil
}

// stop ends the process and waits for it.
func (s *server) stop() error {
	_ = s.stdin.Close()
	late := time.AfterFunc(startTimeout, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("server of known behaviour: %w: %s", err, s.stderr)
	}
	return nil
}

// truth asks the server what it did.
func (s *server) truth(ctx context.Context) (t faultserver.Truth, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/truth", nil)
	if err != nil {
		return t, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	return t, json.NewDecoder(resp.Body).Decode(&t)
}

// Against runs a scenario against a server with a behaviour, as faultserver.Parse reads
// it. text makes the scenario of where the server listens, host:port. The result
// may be of any verdict.
func (t *Tools) Against(ctx context.Context, behaviour string, workers int, text func(addr string) string) (*result.Result, faultserver.Truth, error) {
	return t.against(ctx, behaviour, func(addr string) (*result.Result, error) {
		return t.run(ctx, text(addr), workers, t.Worker, nil)
	})
}

func (t *Tools) against(ctx context.Context, behaviour string, run func(addr string) (*result.Result, error)) (res *result.Result, truth faultserver.Truth, err error) {
	b, err := faultserver.Parse(behaviour)
	if err != nil {
		return nil, truth, err
	}
	s, err := t.serve(ctx, b)
	if err != nil {
		return nil, truth, err
	}
	defer s.stop() // its error says nothing about the run
	if res, err = run(s.addr); err != nil {
		return nil, truth, err
	}
	if res.Verdict == result.Interrupted {
		return nil, truth, context.Canceled
	}
	truth, err = s.truth(ctx)
	return res, truth, err
}

// run runs a scenario, given as text, with so many worker processes.
func (t *Tools) run(ctx context.Context, text string, workers int, command []string, view live.View) (*result.Result, error) {
	s, err := scenario.Parse("calibrate.yaml", []byte(text), scenario.ParseOptions{})
	if err != nil {
		return nil, err
	}
	return coord.Run(ctx, coord.Options{Scenario: s, Workers: workers, Command: command, WorkerEnv: t.Env, Tool: coord.ThisTool("loadgen"), View: view, Log: t.log()})
}

func (t *Tools) log() io.Writer {
	if t.Log == nil {
		return io.Discard
	}
	return t.Log
}

// lockedWriter serves those who write at the same time.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
