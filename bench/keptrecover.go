package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"roost/bench/stats"
	"roost/loadgen/plan"
)

// What is recovered, and how: devices are made by connecting them in slices,
// messages by publishing to all of them through the API.
const (
	recoverDevices  = 100_000
	recoverMessages = 10
	recoverSlice    = 12_500 // what the descriptors of the generator allow
	recoverPayload  = 128
	linesARequest   = 1000 // one for each device: messages to many would share their bytes
	recoverTarget   = 2 * time.Second
)

// stage is one size of the store.
type stage struct{ Devices, Messages int } // messages for each

// recovered is what a start behind a crash has found and cost.
type recovered struct {
	stage
	Round   int     `json:"round"`
	Ready   float64 `json:"ready_s"`
	Raw     int64   `json:"rss_raw"`
	Settled int64   `json:"rss_settled"`
	Disk    int64   `json:"disk_bytes"`
	Invalid string  `json:"invalid,omitempty"`
}

func (x *keptRun) stages() []stage {
	n := recoverDevices / x.scale
	return []stage{{}, {n / 2, 0}, {n, 0}, {n, recoverMessages / 2}, {n, recoverMessages}}
}

// recovery kills nodes and starts them again.
func (x *keptRun) recovery(ctx context.Context) error {
	var all []recovered
	for round := range x.opt.Rounds {
		some, err := x.recoverRound(ctx, round)
		if err != nil {
			return err
		}
		all = append(all, some...)
		fmt.Fprintf(x.out, "round %d  recovery\n", round+1)
	}
	if err := x.writeJSON("recovery", all); err != nil {
		return err
	}
	x.reportRecovery(all)
	return nil
}

// recoverRound lets one store grow, killing its node at each stage.
func (x *keptRun) recoverRound(ctx context.Context, round int) (all []recovered, err error) {
	dir, err := os.MkdirTemp(x.opt.Data, "bench-recovery")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	v, err := x.start(ctx, "file", dir)
	if err != nil {
		return nil, err
	}
	defer func() { v.kill() }()
	at := stage{}
	for _, want := range x.stages() {
		if err := x.grow(ctx, v, round, at, want); err != nil {
			return nil, err
		}
		at = want
		v.kill()
		if v, err = x.restart(ctx, v, dir); err != nil {
			return nil, err
		}
		r := recovered{stage: want, Round: round, Ready: v.Ready().Seconds()}
		if err := x.inspect(ctx, v, dir, &r); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// restart starts a node on the store of one that was killed; that one stays v
// on an error.
func (x *keptRun) restart(ctx context.Context, v *server, dir string) (*server, error) {
	next, err := x.start(ctx, "file", dir)
	if err != nil {
		return v, err
	}
	return next, nil
}

// inspect reads what a node has recovered.
func (x *keptRun) inspect(ctx context.Context, v *server, dir string, r *recovered) error {
	m, err := v.process().Memory()
	if err != nil {
		return err
	}
	r.Raw = m.RSS
	if r.Settled, err = v.settled(ctx, x.opt.Settle); err != nil {
		return err
	}
	if r.Disk, err = diskUsage(dir); err != nil {
		return err
	}
	found, err := v.metrics(ctx)
	if err != nil {
		return err
	}
	devices, messages := int(found["roost_known_devices"]), int(found["roost_kept_in_flight"])
	if devices != r.Devices || messages != r.Devices*r.Messages {
		r.Invalid = fmt.Sprintf("recovered %d devices with %d messages, want %d with %d", devices, messages, r.Devices, r.Devices*r.Messages)
		x.notes = append(x.notes, fmt.Sprintf("recovery, round %d: %s", r.Round+1, r.Invalid))
	}
	return nil
}

// diskUsage returns what a folder takes on disk.
func diskUsage(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && !d.IsDir() {
			n += st.Blocks * 512
		}
		return nil
	})
	return n, err
}

// lazyTime is how long a node may take to write what nobody waits for, such as
// a new device: a second, and one more for each batch.
const lazyTime = 3 * time.Second

// grow brings a store from one stage to the next.
func (x *keptRun) grow(ctx context.Context, v *server, round int, from, to stage) error {
	slice := max(recoverSlice/x.scale, 1)
	for n := from.Devices; n < to.Devices; n += slice {
		r, err := x.gen.scenario(ctx, fmt.Sprintf("round%d-recovery-devices-%d", round+1, n), v, "visit.yaml",
			[]string{param("count", slice), param("prefix", recoverPrefix(n/slice))})
		if err != nil {
			return err
		}
		if got := r.Phases[0].Connected; got != slice { // whatever else is wrong with a run: no figure of it is used
			return fmt.Errorf("%d of %d devices could connect: %s", got, slice, strings.Join(faults(r), "; "))
		}
		if err := v.quiet(ctx); err != nil {
			return err
		}
	}
	for n := from.Messages; n < to.Messages; n++ {
		if err := publishToAll(ctx, v, n, to.Devices, slice); err != nil {
			return err
		}
	}
	if from.Devices == to.Devices {
		return nil // what was accepted is safe
	}
	select { // new devices are promised to nobody
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(x.lazy):
		return nil
	}
}

// recoverPrefix names the devices of a slice.
func recoverPrefix(slice int) string { return fmt.Sprintf("rec%02d-", slice) }

// publishToAll publishes message n to each device.
func publishToAll(ctx context.Context, v *server, n, devices, slice int) error {
	var body bytes.Buffer
	for i := range devices {
		fmt.Fprintf(&body, "{\"device\":\"%s%06d\",\"payload\":\"%0*d\"}\n", recoverPrefix(i/slice), i%slice+1, recoverPayload-2, n*devices+i)
		if (i+1)%linesARequest != 0 && i+1 != devices {
			continue
		}
		if err := postLines(ctx, v, &body); err != nil {
			return err
		}
		body.Reset()
	}
	return nil
}

// postLines publishes a batch, all of which has to be accepted.
func postLines(ctx context.Context, v *server, body *bytes.Buffer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.API()+"/v1/publish", bytes.NewReader(body.Bytes()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || bytes.Contains(answer, []byte(`"status":"refused"`)) || bytes.Contains(answer, []byte(`"status":"unknown"`)) {
		return fmt.Errorf("publish: %s: %.300s", resp.Status, answer)
	}
	return nil
}

// reportRecovery writes the table and the slopes.
func (x *keptRun) reportRecovery(all []recovered) {
	x.printf("\n## Recovery\n\nkill -9, then a start on the same store; ready: from the start of the process until it says so, target %v. Page cache warm.\n\n", recoverTarget)
	x.printf("| devices, away | messages of %d B waiting | ready s | RSS at once, MB | settled, MB | on disk, MB |\n|---|---|---|---|---|---|\n", recoverPayload)
	for _, at := range x.stages() {
		value := func(format string, of func(r recovered) float64) string {
			var v []float64
			for _, r := range all {
				if r.stage == at && r.Invalid == "" {
					v = append(v, of(r))
				}
			}
			return text(stats.Summarize(v), format)
		}
		x.printf("| %d | %d | %s | %s | %s | %s |\n", at.Devices, at.Devices*at.Messages, value("%.2f", func(r recovered) float64 { return r.Ready }),
			value("%.1f", func(r recovered) float64 { return float64(r.Raw) / 1e6 }), value("%.1f", func(r recovered) float64 { return float64(r.Settled) / 1e6 }),
			value("%.1f", func(r recovered) float64 { return float64(r.Disk) / 1e6 }))
	}
	devices := func(of func(r recovered) int64) string {
		return x.slopes(all, of, func(r recovered) (float64, bool) { return float64(r.Devices), r.Messages == 0 })
	}
	messages := func(of func(r recovered) int64) string {
		return x.slopes(all, of, func(r recovered) (float64, bool) {
			return float64(r.Devices * r.Messages), r.Devices == recoverDevices/x.scale
		})
	}
	settled, disk := func(r recovered) int64 { return r.Settled }, func(r recovered) int64 { return r.Disk }
	x.printf("\nSlopes over the counts: **%s B of memory per device that is away**, **%s B per waiting message**; on disk %s B and %s B.\n",
		devices(settled), messages(settled), devices(disk), messages(disk))
}

// slopes fits a line through the stages of each round that at says yes to.
func (x *keptRun) slopes(all []recovered, y func(r recovered) int64, at func(r recovered) (float64, bool)) string {
	var v []float64
	for round := range x.opt.Rounds {
		var xs, ys []float64
		for _, r := range all {
			if pos, ok := at(r); ok && r.Round == round && r.Invalid == "" {
				xs, ys = append(xs, pos), append(ys, float64(y(r)))
			}
		}
		if slope, _, ok := plan.Fit(xs, ys); ok {
			v = append(v, slope)
		}
	}
	return text(stats.Summarize(v), "%.0f")
}
