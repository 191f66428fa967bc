package calibrate

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"roost/loadgen/live"
	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// atOnce is how many tests are under way together that only count.
const atOnce = 5

// tries is how often a test is made whose times are off.
const tries = 3

// Run makes all tests, and tells on progress which one is under way. The error
// is of a test that could not be made; rows that are not OK are none.
func Run(ctx context.Context, t Tools, quick bool, progress io.Writer) (rows []Row, err error) {
	say := &lockedWriter{w: progress}
	t.Log = &lockedWriter{w: t.log()}
	var f floor
	first := floorTest(quick)
	rows, m, err := t.try(ctx, first, f, say)
	if err != nil {
		return rows, err
	}
	d := m.delivery(tally.Delivery)
	f = floor{p50: d.Quantile(.5), p99: d.Quantile(.99), connect: connect(m)}
	counting := []*test{}
	for _, c := range tests(quick) {
		if !c.timing {
			counting = append(counting, c)
			continue
		}
		more, _, err := t.try(ctx, c, f, say)
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
	}
	more, err := t.together(ctx, counting, f, say)
	return append(rows, more...), err
}

// together makes tests at the same time.
func (t *Tools) together(ctx context.Context, list []*test, f floor, say io.Writer) (rows []Row, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := make([][]Row, len(list))
	places := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for i, c := range list {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			more, _, err := t.try(ctx, c, f, say)
			if err != nil {
				cancel(err)
			}
			all[i] = more
		})
	}
	wait.Wait()
	for _, more := range all {
		rows = append(rows, more...)
	}
	return rows, context.Cause(ctx)
}

// name is what the test is called in the table.
func (c *test) name() string {
	if c.what != "" {
		return c.what
	}
	return c.behaviour
}

// try makes a test, and again if only times are off.
func (t *Tools) try(ctx context.Context, c *test, f floor, say io.Writer) (rows []Row, m *measured, err error) {
	for n := 1; ; n++ {
		fmt.Fprintf(say, "calibrate: %s\n", c.name())
		m, err = t.measure(ctx, c)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.name(), err)
		}
		m.floor = f
		rows = c.judge(m)
		again := false
		for i := range rows {
			rows[i].Case = c.name()
			again = again || !rows[i].OK && rows[i].Timing && !rows[i].Below
		}
		if !again || n == tries {
			return rows, m, nil
		}
		fmt.Fprintf(say, "calibrate: %s: a time is off: once more\n", c.name())
	}
}

// measure runs a test's scenario against its server.
func (t *Tools) measure(ctx context.Context, c *test) (m *measured, err error) {
	m = &measured{}
	m.Result, m.truth, err = t.against(ctx, c.behaviour, func(addr string) (*result.Result, error) {
		if c.stop > 0 {
			return t.stopped(ctx, c, addr, m)
		}
		return t.run(ctx, c.text(addr), 1, t.Worker, nil)
	})
	return m, err
}

// stopped runs a scenario whose worker is stopped for a while, as by SIGSTOP
// from outside: it does not know.
func (t *Tools) stopped(ctx context.Context, c *test, addr string, m *measured) (*result.Result, error) {
	dir, err := os.MkdirTemp("", "calibrate")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	// The shell says which process it is, and becomes the worker.
	file := filepath.Join(dir, "pid")
	command := append([]string{"/bin/sh", "-c", `echo $$ >"$0" && exec "$@"`, file}, t.Worker...)
	v := &stopper{file: file, length: c.stop}
	res, err := t.run(ctx, c.text(addr), 1, command, v)
	v.wait.Wait()
	m.froze = v.was
	if err == nil {
		err = v.err
	}
	return res, err
}

// stopper is a view that stops the worker once, when phase hold is under way.
type stopper struct {
	file   string
	length time.Duration

	once sync.Once
	wait sync.WaitGroup
	was  time.Duration // after wait
	err  error         // as well
}

// Show is for live.View.
func (s *stopper) Show(f *live.Frame) {
	if f.Phase == "hold" && f.State == "under way" {
		s.once.Do(func() { s.wait.Go(s.stop) })
	}
}

// Done is for live.View.
func (s *stopper) Done(*result.Result) error { return nil }

func (s *stopper) stop() {
	text, err := os.ReadFile(s.file)
	if err != nil {
		s.err = err
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		s.err = fmt.Errorf("the worker's process: %q", text)
		return
	}
	began := time.Now()
	if s.err = syscall.Kill(pid, syscall.SIGSTOP); s.err != nil {
		return
	}
	time.Sleep(s.length)
	s.err = syscall.Kill(pid, syscall.SIGCONT)
	s.was = time.Since(began)
}
