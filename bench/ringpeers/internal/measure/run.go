package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"roost/bench/ringpeers/internal/subject"
)

// run is a comparison under way.
type run struct {
	Result
	out io.Writer // for progress
}

// Run measures all that the options want and writes report.md and raw.json.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if err := o.setDefaults(); err != nil {
		return err
	}
	began := time.Now()
	folder, err := o.folder(began)
	if err != nil {
		return fmt.Errorf("folder for results: %w", err)
	}
	r := &run{out: out}
	r.Schema, r.Command, r.Options = Schema, o.Command, o
	r.Env = environment(ctx, began)
	for _, s := range subject.All() {
		r.Subjects = append(r.Subjects, SubjectInfo{s.Name, s.Module, s.Version(), s.Note})
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{PartLookup, r.lookups}, {PartTimes, r.times}, {PartBalance, r.balance}, {PartReweight, r.reweight}} {
		if !o.wants(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	r.Env.LoadEnded, r.Env.Took = load(), time.Since(began).Round(time.Second).String()
	return r.write(folder)
}

// write writes both files.
func (r *run) write(folder string) error {
	raw, err := json.Marshal(&r.Result)
	if err != nil {
		return fmt.Errorf("raw results: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "raw.json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	report, err := os.Create(filepath.Join(folder, "report.md"))
	if err != nil {
		return err
	}
	r.WriteMarkdown(report)
	if err := report.Close(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	fmt.Fprintf(r.out, "results in %s\n", folder)
	return nil
}

// say writes a line of progress.
func (r *run) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// note writes down what a reader must know.
func (r *run) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.Notes = append(r.Notes, text)
	r.say("note: %s", text)
}
