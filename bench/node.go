package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"roost/bench/experiment"
	"roost/loadgen/result"
	"roost/loadgen/usage"
)

// NodeOptions says what RunNode does. Zero fields mean their defaults.
type NodeOptions struct {
	Roostd  string        // binary; default bin/roostd
	Loadgen string        // binary; default bin/loadgen
	Out     string        // folder of results; default bench/results/node-DATE
	Hold    time.Duration // of each load; default 10 s
	Settle  time.Duration // before memory is read; default 6 s
	Only    []string      // parts: memory, limit, recovery, publishers; default all
	Quick   bool          // a tenth of the connections and short loads, to see that it works
	Command []string      // recorded
}

// nodeRun is one RunNode under way.
type nodeRun struct {
	opt   NodeOptions
	gen   generator
	out   io.Writer
	scale int // divides the numbers of connections
	text  bytes.Buffer
}

// RunNode measures what one node does by itself: memory per device over three
// counts, at most connections, whether memory comes back after each kind of
// load, and how long publishers wait while devices are busy. It prints a report
// to out and writes it, with the raw results, to a folder. If it is ended by an
// error or by ctx, what there was until then is written.
func RunNode(ctx context.Context, opt NodeOptions, out io.Writer) error {
	if err := checkOnly(opt.Only, sectionNames((*nodeRun)(nil).sections())); err != nil {
		return err
	}
	x, err := newNodeRun(opt, out)
	if err != nil {
		return err
	}
	err = runSections(ctx, x.sections(), x.opt.Only)
	if err != nil {
		x.printf("\nThis is not all: %v\n", err)
	}
	fmt.Fprintf(out, "\nwritten to %s\n", x.opt.Out)
	return errors.Join(err, os.WriteFile(filepath.Join(x.opt.Out, "report.md"), x.text.Bytes(), 0o644))
}

// sections are in the order of the report.
func (x *nodeRun) sections() []section {
	return []section{{"memory", x.memory}, {"limit", x.limit}, {"recovery", x.recovery}, {"publishers", x.publishers}}
}

// newNodeRun makes the folder and the report's head.
func newNodeRun(opt NodeOptions, out io.Writer) (*nodeRun, error) {
	setDefault(&opt.Roostd, "bin/roostd")
	setDefault(&opt.Loadgen, "bin/loadgen")
	x := &nodeRun{opt: opt, out: out, scale: 1}
	if opt.Quick {
		x.scale = 10
		setDefault(&x.opt.Hold, 2*time.Second)
		setDefault(&x.opt.Settle, time.Second)
	}
	setDefault(&x.opt.Hold, 10*time.Second)
	setDefault(&x.opt.Settle, 6*time.Second)
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	var err error
	if x.opt.Out, err = resultFolder(opt.Out, "node"); err != nil {
		return nil, err
	}
	if err := writeScenarios(filepath.Join(x.opt.Out, "scenarios")); err != nil {
		return nil, err
	}
	x.gen = generator{path: x.opt.Loadgen, folder: filepath.Join(x.opt.Out, "runs")}
	x.printf("# One node by itself, %s\n\n    %s\n\n%s\n", time.Now().Format(time.DateOnly), strings.Join(x.opt.Command, " "), usage.ReadEnv())
	return x, nil
}

// printf writes to the report and shows it.
func (x *nodeRun) printf(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	x.text.WriteString(s)
	io.WriteString(x.out, s)
}

// start starts a roostd with further environment. It is stopped by stopNode.
func (x *nodeRun) start(ctx context.Context, name string, env ...string) (*experiment.Running, error) {
	s := roostd(x.opt.Roostd, "{dir}")
	s.Env = env
	return experiment.Serve(ctx, &s, filepath.Join(x.opt.Out, "runs", name+".log"))
}

// roostd is one as it is measured: nobody has to say who he is, it echoes, and it takes all that connect, as often
// as they do. Its data is in dir.
func roostd(binary, dir string, args ...string) experiment.Server {
	s := experiment.Adapters["roost"]
	s.Name = "roost"
	s.Command = append([]string{binary, "--listen", "127.0.0.1:{port}", "--api", "127.0.0.1:{api}", "--auth", "none", "--data-dir", dir, "--echo",
		"--accept-rate", "0", "--device-rate", "0"}, args...)
	return s
}

// stopNode joins an error with what was wrong with a node's end.
func stopNode(err error, v *experiment.Running) error {
	remark, end := v.Stop()
	if remark != "" {
		end = errors.Join(end, fmt.Errorf("the node %s", remark))
	}
	return errors.Join(err, end)
}

// memory is resident memory over three counts of idle devices.
func (x *nodeRun) memory(ctx context.Context) error {
	r, err := x.idle(ctx, "memory", 15_000/x.scale, x.opt.Settle)
	if err != nil {
		return err
	}
	x.printf("\n## Idle devices with heartbeats\n\n| devices | RSS at once, B each | settled, B each | goroutines | descriptors - devices |\n|---|---|---|---|---|\n")
	empty := r.Servers[0].Before.RSS
	for i := 1; i < len(r.Phases); i += 2 { // a ramp, and its plateau
		at, rest := r.Phases[i-1].Servers[0], r.Phases[i]
		n := float64(rest.Connected)
		use := rest.Servers[0]
		x.printf("| %d | %.0f | %.0f | %d | %d |\n", rest.Connected, float64(at.RSS-empty)/n, float64(use.RSS-empty)/n, use.Goroutines, use.Files-rest.Connected)
	}
	x.printf("\nSlope of settled RSS over the counts: **%.0f B per device**; empty node %.1f MB. Kernel memory beside it, both ends: %.0f B per connection.\n",
		slope(r, rss), float64(empty)/1e6, slope(r, kernel))
	return nil
}

// idle connects devices to a fresh node, in three steps.
func (x *nodeRun) idle(ctx context.Context, name string, devices int, settle time.Duration) (r *result.Result, err error) {
	v, err := x.start(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = stopNode(err, v) }()
	return x.gen.scenario(ctx, name, v, "idle.yaml", []string{param("count", devices), param("settle", settle)})
}

// limit is as many connections as descriptors allow, nearly.
func (x *nodeRun) limit(ctx context.Context) error {
	n := 19_000 / x.scale
	r, err := x.idle(ctx, "limit", n, time.Second)
	if err != nil {
		return err
	}
	x.printf("\n## Many connections\n\n%d of %d connections in one process, %.0f handshakes/s, %.1f us of server CPU each.\n",
		r.Phases[len(r.Phases)-1].Connected, n, handshakeRate(r), cost(r, established, true))
	return nil
}

// recovery holds idle devices and measures what loads of other connections leave
// behind.
func (x *nodeRun) recovery(ctx context.Context) (err error) {
	v, err := x.start(ctx, "recovery")
	if err != nil {
		return err
	}
	defer func() { err = stopNode(err, v) }()
	held := 9000 / x.scale
	r, err := x.gen.scenario(ctx, "recovery", v, "recovery.yaml", []string{param("count", 2*held), param("settle", x.opt.Settle),
		param("hold", x.opt.Hold), param("slow", max(x.opt.Hold*3/2, 2*time.Second))})
	if err != nil {
		return err
	}
	x.printf("\n## Does memory come back?\n\n%d idle devices are held; as many other connections come, load, and go. Settled RSS less the empty node's, per held device:\n\n| after | B per held device | of the first |\n|---|---|---|\n", held)
	first := 0.0
	for _, p := range r.Phases {
		if _, numbered, _ := strings.Cut(p.Name, "-"); p.Name == "held" || len(numbered) == 1 {
			continue // not a rest
		}
		each := float64(p.Servers[0].RSS-r.Servers[0].Before.RSS) / float64(held)
		if first == 0 {
			first = each
		}
		x.printf("| %s | %.0f | %.2f |\n", strings.ReplaceAll(p.Name, "-", " "), each, each/first)
	}
	return nil
}

// writeJSON writes v beside the runs.
func (x *nodeRun) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(x.opt.Out, "runs", name+".json"), data, 0o644)
}
