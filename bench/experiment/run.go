package experiment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"roost/bench/compare"
	"roost/loadgen/result"
)

// experiment is one that is under way.
type experiment struct {
	Options
	journal *journal
	out     io.Writer
	told    map[string]bool // checks whose meaning was said
}

// Run does the experiment, or what is left of it, tells out how it goes, and
// writes the comparison into the folder. The comparisons are of each server with
// the first. When ctx ends nothing is lost: the same call goes on where it was.
func Run(ctx context.Context, o Options, out io.Writer) (cs []*compare.Comparison, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	x := &experiment{Options: o, out: out, told: map[string]bool{}}
	if x.journal, err = openJournal(&x.Options); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.journal.close()) }()
	if err := x.rounds(ctx); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("ended after %d of %d pairs; the same command goes on: %w", len(x.journal.rounds()), x.Pairs, err)
		}
		return nil, err
	}
	return x.conclude()
}

// rounds runs those that are left.
func (x *experiment) rounds(ctx context.Context) error {
	done := len(x.journal.rounds())
	if done >= x.Pairs {
		return nil
	}
	if done > 0 {
		fmt.Fprintf(x.out, "%d of %d pairs are there already\n", done, x.Pairs)
	}
	began := time.Now()
	for range max(x.Warmups, 0) {
		for i := range x.Servers {
			if _, err := x.run(ctx, kindWarmup, done+1, &x.Servers[i]); err != nil {
				return err
			}
		}
	}
	if x.Warmups > 0 {
		each := time.Since(began) / time.Duration(x.Warmups)
		fmt.Fprintf(x.out, "about %v for %d pairs\n", (each * time.Duration(x.Pairs-done)).Round(time.Second), x.Pairs-done)
	}
	for round := done + 1; round <= x.Pairs; round++ {
		e := entry{Kind: kindRound, Round: round, Files: map[string]string{}, Repeats: map[string]int{}}
		for _, i := range order(len(x.Servers), round-1) {
			if err := x.counted(ctx, &e, &x.Servers[i]); err != nil {
				return err
			}
		}
		if err := x.journal.add(e); err != nil {
			return err
		}
	}
	return nil
}

// counted makes a run that counts: one that is INVALID, disturbed by other work,
// or ended by somebody, is repeated.
func (x *experiment) counted(ctx context.Context, e *entry, s *Server) error {
	for attempt := 0; ; attempt++ {
		r, err := x.run(ctx, kindRun, e.Round, s)
		if err != nil {
			return err
		}
		e.Files[s.Name] = r.File
		if r.Verdict != result.Invalid && r.Verdict != result.Interrupted && !x.disturbed(r) || attempt >= x.Retries {
			return nil
		}
		e.Repeats[s.Name]++
	}
}

// disturbed reports a run in which other work took more than it may.
func (x *experiment) disturbed(e entry) bool { return x.MaxOther > 0 && e.Other > x.MaxOther }

// run makes one run and writes it into the journal.
func (x *experiment) run(ctx context.Context, kind string, round int, s *Server) (e entry, err error) {
	began := time.Now()
	e = entry{Kind: kind, Round: round, Server: s.Name}
	if e.Busy, err = cooldown(ctx, x.Cooldown, x.Quiet); err != nil {
		return e, err
	}
	if e.Busy > quietShare {
		e.Remarks = append(e.Remarks, fmt.Sprintf("the machine was not quiet: %.0f %% busy after the cooldown", 100*e.Busy))
	}
	base := x.free(kind, round, s.Name)
	p, err := start(ctx, s, x.ServerCPUs, base+".log", x.StartTime)
	if err != nil {
		return e, err
	}
	e.Ready = p.took
	r, err := x.measure(ctx, p, &e, base)
	remark, stopErr := p.stop(x.StopTime)
	if remark != "" {
		e.Remarks = append(e.Remarks, "server "+s.Name+" "+remark)
	}
	if err = errors.Join(err, stopErr); err != nil {
		return e, err
	}
	if x.disturbed(e) {
		e.Remarks = append(e.Remarks, fmt.Sprintf("other work took %.2f cores, limit %.2f", e.Other, x.MaxOther))
	}
	e.Verdict, e.Took = r.Verdict, time.Since(began).Round(time.Millisecond)
	if e.File, err = filepath.Rel(x.Out, base+".json"); err != nil {
		return e, err
	}
	x.tell(&e, r)
	return e, x.journal.add(e)
}

// measure puts the load on and takes the profile.
func (x *experiment) measure(ctx context.Context, p *process, e *entry, base string) (*result.Result, error) {
	during, over := context.WithCancel(ctx)
	profiled := make(chan error, 1)
	if x.Pprof != "" {
		go func() { profiled <- x.takeProfile(during, p, base+".pprof") }()
	} else {
		profiled <- errNoProfile
	}
	before := ReadMeter(p.cmd.Process.Pid)
	r, own, err := x.load(ctx, p, e.Round, base+".json", base+".loadgen.txt")
	e.Other = ReadMeter(p.cmd.Process.Pid).Other(before, own)
	over()
	switch profileErr := <-profiled; {
	case profileErr == nil:
		e.Profile, _ = filepath.Rel(x.Out, base+".pprof")
	case !errors.Is(profileErr, errNoProfile):
		e.Remarks = append(e.Remarks, "no profile: "+profileErr.Error())
	}
	if gone := p.alive(); gone != nil && ctx.Err() == nil {
		return nil, errors.Join(gone, err)
	}
	return r, err
}

var errNoProfile = errors.New("no profile was asked for")

// free is a name of files, without an ending, that no attempt has had.
func (x *experiment) free(kind string, round int, server string) string {
	name := fmt.Sprintf("%02d-%s", round, server)
	if kind == kindWarmup {
		name = "warmup-" + server
	}
	base := filepath.Join(x.Out, "runs", name)
	for n := 2; ; n++ {
		if _, err := os.Stat(base + ".log"); errors.Is(err, os.ErrNotExist) {
			return base
		}
		base = filepath.Join(x.Out, "runs", name+"."+strconv.Itoa(n))
	}
}

// tell says in a line how a run went.
func (x *experiment) tell(e *entry, r *result.Result) {
	what := fmt.Sprintf("pair %d of %d", e.Round, x.Pairs)
	if e.Kind == kindWarmup {
		what = "warm-up"
	}
	fmt.Fprintf(x.out, "%-14s %-12s %-8s", what, e.Server, e.Verdict)
	for _, name := range []string{x.Primary, "server.cpu_to_loadgen", "server.cpu_per_msg", "delivery.p99"} {
		if m, ok, _ := r.Lookup(name); ok {
			fmt.Fprintf(x.out, "  %s %s", name, compare.Format(m.Value, m.Unit))
			break
		}
	}
	fmt.Fprintf(x.out, "  (%v)\n", e.Took.Round(100*time.Millisecond))
	for _, remark := range e.Remarks {
		fmt.Fprintf(x.out, "  %s\n", remark)
	}
	if e.Verdict != result.Invalid {
		return
	}
	for _, c := range r.Validity {
		if c.State != "fail" {
			continue
		}
		text := ": " + c.Text
		if x.told[c.Name] { // what to do is said once
			text = ""
		}
		x.told[c.Name] = true
		fmt.Fprintf(x.out, "  %s %s, limit %s%s\n", c.Name, compare.Format(c.Value, c.Unit), compare.Format(c.Limit, c.Unit), text)
	}
}
