package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/usage"
)

// crash kills a node under load and starts it again on its store, and asks
// whether everything that it had accepted has come.
func (x *keptRun) crash(ctx context.Context) error {
	x.printf("\n## kill -9 under load\n\n%d devices, 200 kept messages a second to one device each and 2 to all; the node is killed and started again on its store.\nPublishers ask again under the same ids until they have an answer. Times from the kill.\n\n", 1000/x.scale)
	x.printf("| round | half are back, s | 99 %% | all | dials each | messages | asked again | deliveries | **lost** | came twice | out of order |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for round := range x.opt.Rounds {
		r, err := x.crashRound(ctx, round)
		if err != nil {
			return err
		}
		number := func(name string, unit float64) string {
			if m, ok, _ := r.Lookup(name); ok && !math.IsInf(m.Value, 0) {
				return fmt.Sprintf("%.4g", m.Value/unit)
			}
			return "-"
		}
		lost, _, _ := r.Lookup("lost")
		gap, _, _ := r.Lookup("gap")
		x.printf("| %d | %s | %s | %s | %s | %s | %s | %s | **%.0f** | %s | %s |\n", round+1, number("storm.t50", 1e9), number("storm.t99", 1e9), number("storm.t100", 1e9),
			number("storm.dials_per_restored", 1), number("planned", 1), number("repeated", 1), number("delivered", 1), lost.Value+gap.Value, number("duplicate", 1), number("reordered", 1))
		if list := faults(r); len(list) > 0 {
			x.notes = append(x.notes, fmt.Sprintf("crash, round %d: %s", round+1, strings.Join(list, "; ")))
		}
	}
	return nil
}

// crashRound makes one run.
func (x *keptRun) crashRound(ctx context.Context, round int) (r *result.Result, err error) {
	dir, err := os.MkdirTemp(x.opt.Data, "bench-crash")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	v, err := x.start(ctx, "file", dir)
	if err != nil {
		return nil, err
	}
	log := filepath.Join(x.opt.Out, fmt.Sprintf("round%d-crash-successor.log", round+1))
	r, err = x.gen.scenario(ctx, fmt.Sprintf("round%d-crash", round+1), v, "crash.yaml", []string{param("count", 1000/x.scale),
		param("hold", x.opt.Hold), param("restart", restartCommand(v, log))})
	v.kill()
	if r != nil && len(r.Servers) > 0 && r.Servers[0].PID != v.PID() {
		err = errors.Join(err, end(usage.Process(r.Servers[0].PID)))
	}
	return r, err
}

// restartCommand is the shell command that kills a node and starts another one
// in its place. The kill is over when our own wait has taken note of it.
func restartCommand(v *server, log string) string {
	words := v.Command()
	for i, w := range words {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	pid := v.PID()
	return fmt.Sprintf("kill -9 %d; while kill -0 %[1]d 2>/dev/null; do sleep 0.01; done; %s >'%s' 2>&1 & echo pid=$!", pid, strings.Join(words, " "), log)
}

// end asks a process that is nobody's child here to end, and waits until it has.
func end(p usage.Process) error {
	if err := syscall.Kill(int(p), syscall.SIGTERM); err != nil {
		return fmt.Errorf("the node that was started again, process %d: %w", int(p), err)
	}
	for late := time.Now().Add(stopTime); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		if _, err := p.Started(); err != nil {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("process %d did not end within %v of SIGTERM", int(p), stopTime), syscall.Kill(int(p), syscall.SIGKILL))
}
