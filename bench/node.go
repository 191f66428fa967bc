package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"roost/loadgen"
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
// to out and writes it, with the raw results, to a folder.
func RunNode(ctx context.Context, opt NodeOptions, out io.Writer) error {
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
		return err
	}
	var err error
	if x.opt.Out, err = resultFolder(opt.Out, "node"); err != nil {
		return err
	}
	x.gen = generator{path: x.opt.Loadgen, folder: filepath.Join(x.opt.Out, "runs")}
	x.printf("# One node by itself, %s\n\n    %s\n\n%s\n", time.Now().Format(time.DateOnly), strings.Join(x.opt.Command, " "), usage.ReadEnv())
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"memory", x.memory}, {"limit", x.limit}, {"recovery", x.recovery}, {"publishers", x.publishers}} {
		if len(x.opt.Only) > 0 && !slices.Contains(x.opt.Only, part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nwritten to %s\n", x.opt.Out)
	return os.WriteFile(filepath.Join(x.opt.Out, "report.md"), x.text.Bytes(), 0o644)
}

// printf writes to the report and shows it.
func (x *nodeRun) printf(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	x.text.WriteString(s)
	io.WriteString(x.out, s)
}

// start starts a roostd with further environment.
func (x *nodeRun) start(ctx context.Context, env ...string) (*server, error) {
	s := Subject{Name: "roost", Path: x.opt.Roostd, Env: env}
	return s.start(ctx, filepath.Join(x.opt.Out, "roost.log"))
}

// memory is resident memory over three counts of idle devices.
func (x *nodeRun) memory(ctx context.Context) (err error) {
	v, err := x.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	counts := []int{5000 / x.scale, 10_000 / x.scale, 15_000 / x.scale}
	r, err := x.gen.run(ctx, "memory", join([]string{"--mode", loadgen.ModeIdle}, v.urlArgs(loadgen.ModeIdle), []string{
		"--connections", strconv.Itoa(counts[2]), "--steps", fmt.Sprintf("%d,%d,%d", counts[0], counts[1], counts[2]),
		"--hold", "1s", "--settle", x.opt.Settle.String()}))
	if err != nil {
		return err
	}
	x.printf("\n## Idle devices with heartbeats\n\n| devices | RSS raw, B each | settled, B each | goroutines | descriptors - devices |\n|---|---|---|---|---|\n")
	for _, s := range r.Idle.Steps {
		n := float64(s.Connections)
		x.printf("| %d | %.0f | %.0f | %d | %d |\n", s.Connections, float64(s.Raw.RSS-r.Idle.Base.Settled.RSS)/n,
			float64(s.Settled.RSS-r.Idle.Base.Settled.RSS)/n, s.Goroutines, s.Files-s.Connections)
	}
	x.printf("\nSlope of settled RSS over the counts: **%.0f B per device**; empty node %.1f MB. Kernel memory beside it, both ends: %.0f B per connection.\n",
		r.Idle.SlopeSettled, float64(r.Idle.Base.Settled.RSS)/1e6, r.Idle.KernelPair)
	return nil
}

// limit is as many connections as descriptors allow, nearly.
func (x *nodeRun) limit(ctx context.Context) (err error) {
	v, err := x.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	n := 19_000 / x.scale
	r, err := x.gen.run(ctx, "limit", join([]string{"--mode", loadgen.ModeIdle}, v.urlArgs(loadgen.ModeIdle),
		[]string{"--connections", strconv.Itoa(n), "--hold", "1s", "--settle", "1s"}))
	if err != nil {
		return err
	}
	x.printf("\n## Many connections\n\n%d of %d connections in one process, %.0f handshakes/s, %.1f us of server CPU each.\n",
		r.Connect.Established, r.Connect.Asked, r.Connect.PerSecond, r.Connect.ServerSumMicros)
	return nil
}

// recovery holds idle devices and measures what other connections' loads leave
// behind.
func (x *nodeRun) recovery(ctx context.Context) (err error) {
	v, err := x.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	n := strconv.Itoa(9000 / x.scale)
	base, err := v.settled(ctx, x.opt.Settle)
	if err != nil {
		return err
	}
	holding, release := context.WithCancel(ctx)
	defer release()
	held := make(chan error, 1)
	args := []string{"--connections", n, "--hold", "30m", "--device", "held-", "--settle", "-1s"}
	go func() {
		_, err := x.gen.run(holding, "recovery-held", join([]string{"--mode", loadgen.ModeIdle}, v.urlArgs(loadgen.ModeIdle)[2:], args))
		held <- err
	}()
	if err := x.devices(ctx, v, 9000/x.scale); err != nil {
		return err
	}
	x.printf("\n## Does memory come back?\n\n%s idle devices are held; as many other connections come, load, and go. Settled RSS less the empty node's, per held device:\n\n| after | B per held device | of the first |\n|---|---|---|\n", n)
	first := 0.0
	for _, load := range x.recoveryLoads(n) {
		if _, err := x.gen.run(ctx, "recovery-"+load.name, join(v.urlArgs(load.mode), load.args)); err != nil {
			return err
		}
		if err := x.devices(ctx, v, 9000/x.scale); err != nil {
			return err
		}
		rss, err := v.settled(ctx, x.opt.Settle)
		if err != nil {
			return err
		}
		each := float64(rss-base) / float64(9000/x.scale)
		if first == 0 {
			first = each
		}
		x.printf("| %s | %.0f | %.2f |\n", load.name, each, each/first)
	}
	release()
	if err := <-held; err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

// recoveryLoad is one kind of load by connections that go again.
type recoveryLoad struct {
	name, mode string
	args       []string
}

func (x *nodeRun) recoveryLoads(n string) []recoveryLoad {
	hold := x.opt.Hold.String()
	return []recoveryLoad{
		// The first row is after as many came and went without load: slots and
		// registry entries stay, for those who come next.
		{"connecting", loadgen.ModeIdle, []string{"--mode", loadgen.ModeIdle, "--connections", n, "--hold", "1s", "--settle", "-1s"}},
		{"broadcast", loadgen.ModeBroadcast, []string{"--mode", loadgen.ModeBroadcast, "--connections", n, "--hold", hold}},
		{"echo burst", loadgen.ModeEcho, []string{"--mode", loadgen.ModeEcho, "--connections", n, "--hold", hold, "--size", "4096"}},
		{"slow readers", loadgen.ModeBroadcast, []string{"--mode", loadgen.ModeBroadcast, "--connections", n, "--hold", "15s", "--slow", "0.99", "--rate", "4", "--size", "16384"}},
	}
}

// settled collects twice, waits, and reads the resident size.
func (v *server) settled(ctx context.Context, settle time.Duration) (int64, error) {
	for range 2 {
		if err := v.get(ctx, "/debug/pprof/heap?gc=1", io.Discard); err != nil {
			return 0, err
		}
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(settle):
	}
	m, err := v.process().Memory()
	return m.RSS, err
}

// process is the server's.
func (v *server) process() usage.Process { return usage.Process(v.cmd.Process.Pid) }

// devices waits until the node has exactly n connections.
func (x *nodeRun) devices(ctx context.Context, v *server, n int) error {
	var now int
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		values, err := v.metrics(ctx)
		if err != nil {
			return err
		}
		now = 0
		for name, value := range values {
			if strings.HasPrefix(name, "roost_connections{") {
				now += int(value)
			}
		}
		if now == n {
			return nil
		}
	}
	return fmt.Errorf("the node has %d connections, want %d", now, n)
}

// metrics reads the node's metrics: the value behind each name with its labels.
func (v *server) metrics(ctx context.Context) (map[string]float64, error) {
	var b bytes.Buffer
	if err := v.get(ctx, "/metrics", &b); err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if value, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
			values[line[:i]] = value
		}
	}
	return values, nil
}

// get fetches a path of the node's API.
func (v *server) get(ctx context.Context, path string, to io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.side+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	_, err = io.Copy(to, resp.Body)
	return err
}

// writeJSON writes v beside the runs.
func (x *nodeRun) writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(x.opt.Out, "runs", name+".json"), data, 0o644)
}
