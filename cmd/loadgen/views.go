package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"roost/loadgen/live"
)

// viewFlags say how a run is shown while it is under way.
type viewFlags struct {
	quiet, plain       bool
	stream, prometheus string
	// reticent says that lines are shown only if they are asked for.
	reticent bool
}

// add adds those that many runs may share.
func (v *viewFlags) add(f *flags) {
	f.BoolVar(&v.quiet, "quiet", false, "show neither a screen nor lines while it runs")
	f.BoolVar(&v.plain, "plain", false, "show lines, also where there is a terminal for a screen")
}

// addOwn adds those of one run.
func (v *viewFlags) addOwn(f *flags) {
	f.StringVar(&v.stream, "stream", "", "`file` for a JSON line each second and the verdict at the end; -: standard output, and the report goes to standard error")
	f.StringVar(&v.prometheus, "prometheus", "", "`address` at which the run can be scraped at /metrics, such as 127.0.0.1:9101; :9101 is loopback, too")
}

// views are what shows a run.
type views struct {
	live.View
	log    io.Writer // for what else is said meanwhile
	report io.Writer // for what is said afterwards
	file   *os.File  // of the stream, if it is one
	broken chan os.Signal
}

// open opens what is asked for. The caller closes it.
func (v *viewFlags) open(t terminal) (*views, error) {
	o := &views{log: t.errout, report: t.out, broken: make(chan os.Signal, 1)}
	// Where nobody takes SIGPIPE, a reader that goes away, as in loadgen run |
	// head, ends a Go process. So it is an error of writing.
	signal.Notify(o.broken, syscall.SIGPIPE)
	var all []live.View
	screen, there := live.Terminal{}, false
	// A screen beside a stream on the same terminal would be neither.
	mixed := v.stream == "-" && live.Columns(t.out) > 0
	if !v.quiet && !v.plain && !mixed {
		screen, there = live.OpenTerminal(t.errout, os.Getenv)
	}
	switch {
	case v.quiet, v.reticent && !v.plain && !there:
	case there:
		s := live.NewScreen(screen)
		o.log = s.Log()
		all = append(all, s)
	default:
		all = append(all, live.NewPlain(t.errout))
	}
	o.View = live.Together(all...)
	if v.prometheus != "" {
		p, err := live.ServePrometheus(v.prometheus)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--prometheus: %w", err), o.close())
		}
		fmt.Fprintf(t.errout, "loadgen: metrics at http://%s/metrics\n", p.Addr())
		all = append(all, p)
		o.View = live.Together(all...)
	}
	switch v.stream {
	case "":
		return o, nil
	case "-":
		o.report = t.errout
		all = append(all, live.NewStream(t.out))
	default:
		file, err := os.Create(v.stream)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--stream: %w", err), o.close())
		}
		o.file = file
		all = append(all, live.NewStream(file))
	}
	o.View = live.Together(all...)
	return o, nil
}

// close ends the views, if the run has not, and closes the stream's file. What
// went wrong with a view is a note of the result, and no error of the run.
func (o *views) close() error {
	_ = o.Done(nil)
	signal.Stop(o.broken)
	if o.file != nil {
		return o.file.Close()
	}
	return nil
}
