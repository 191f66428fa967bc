package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"roost/bench/compare"
	"roost/bench/experiment"
)

// runFlags are those of bench run before they are joined.
type runFlags struct {
	experiment.Options
	servers, adapters, urls, apis, env []string
}

// runRun is bench run.
func runRun(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseRun(args, out)
	if err != nil {
		return err
	}
	cs, err := experiment.Run(ctx, o, out)
	if err != nil {
		return err
	}
	for _, c := range cs {
		fmt.Fprintln(out)
		if err := c.Text(out, false); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nwritten to %s\n", o.Out)
	if code := compare.Worst(cs); code != 0 {
		return exitCode(code)
	}
	return nil
}

// parseRun reads the command line of bench run.
func parseRun(args []string, out io.Writer) (o experiment.Options, err error) {
	var f runFlags
	c := newCommand("run", "SCENARIO --server A=COMMAND --server B=COMMAND --out FOLDER [flags] [-- flags of loadgen run]", `Runs a scenario against servers in turn, AB BA AB BA, each time as a fresh process,
and compares them. With more than two servers each is compared with the first.
The same command with the same folder goes on where it was ended.

COMMAND is words, with quotes as in a shell, and no shell. Before it starts {port}
and {api} become free ports, {dir} an empty directory, {name} the server's name:

  bench run fan-out --out /tmp/ab --pairs 10 -p count=2000 \
    --server 'old=bin/roostd-1 --listen 127.0.0.1:{port} --api 127.0.0.1:{api} --auth none --data-dir {dir}' \
    --server 'new=bin/roostd-2 --listen 127.0.0.1:{port} --api 127.0.0.1:{api} --auth none --data-dir {dir}'

The same placeholders may be in --url, --api, --pprof and the flags of loadgen run,
as in -- --metrics-url 'http://127.0.0.1:{api}/metrics'.

A server is ready when it prints a line that begins with "ready", or when the
ports that its command names are open.

`+exitCodes)
	c.list(&f.servers, "server", "`NAME=COMMAND`; twice or more, the first is what others are compared with")
	c.list(&f.adapters, "as", "where clients connect: `[NAME=]KIND` with KIND one of "+strings.Join(experiment.AdapterNames(), ", ")+" (default roost)")
	c.list(&f.urls, "url", "`[NAME=]URL` where clients connect, instead of the kind's")
	c.list(&f.apis, "api", "`[NAME=]URL` where messages are published, instead of the kind's")
	c.list(&f.env, "env", "`NAME:KEY=VALUE`, an environment variable of server NAME; may be repeated")
	c.list(&f.Params, "p", "`key=value`, a parameter of the scenario; may be repeated")
	c.StringVar(&f.Out, "out", "", "`folder` for everything that comes of it")
	c.IntVar(&f.Pairs, "pairs", 10, "`number` of pairs; decide before you look")
	c.StringVar(&f.Primary, "primary", "", "`metric` that the verdict hangs on (default server.cpu_to_loadgen, else delivery.p99)")
	c.share(&f.MinEffect, "min-effect", "least `change` that counts (default 5% for times, 2% for the rest)")
	c.DurationVar(&f.Cooldown, "cooldown", 0, "least pause between runs (default 2s); after it a busy machine is waited for")
	c.DurationVar(&f.Quiet, "quiet", 0, "most time to wait for a quiet machine (default 30s; negative: none)")
	c.IntVar(&f.Warmups, "warmups", 1, "runs of each server that do not count; -1 for none")
	c.IntVar(&f.Retries, "retries", 3, "of a run that is INVALID or disturbed; -1 for none")
	c.Float64Var(&f.MaxOther, "max-other", 0, "`cores` that other work may take during a run; with more it is run again (default: not judged)")
	c.StringVar(&f.ServerCPUs, "server-cpus", "", "`CPUs` of the servers, as taskset -c takes them")
	c.StringVar(&f.LoadgenCPUs, "loadgen-cpus", "", "`CPUs` of the generator")
	c.StringVar(&f.Loadgen, "loadgen", "bin/loadgen", "the generator's `binary`")
	c.StringVar(&f.Pprof, "pprof", "", "`URL` of CPU profiles, for bench explain: 'http://127.0.0.1:{api}/debug/pprof/profile?seconds={seconds}'")
	c.DurationVar(&f.PprofAfter, "pprof-after", 0, "begin of the profile after that of the load (default 5s)")
	c.IntVar(&f.PprofSeconds, "pprof-seconds", 0, "length of the profile (default 10)")
	c.DurationVar(&f.StartTime, "start-time", 0, "most time for a server to be ready (default 15s)")
	c.DurationVar(&f.StopTime, "stop-time", 0, "most time for a server to end (default 40s)")
	rest, behind, err := c.parse(args, out)
	if err != nil {
		return o, err
	}
	if len(rest) > 1 {
		return o, fmt.Errorf("unexpected argument %q: bench run takes one scenario; put the command of --server in quotes", rest[1])
	}
	if len(rest) == 1 {
		f.Scenario = rest[0]
	}
	f.Extra = behind
	err = f.join()
	return f.Options, err
}

// join makes the servers from their flags.
func (f *runFlags) join() error {
	for _, s := range f.servers {
		name, line, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("--server %q: must be NAME=COMMAND", s)
		}
		words, err := experiment.Words(line)
		if err != nil {
			return fmt.Errorf("--server %s: %w", name, err)
		}
		server := experiment.Adapters["roost"]
		server.Name, server.Command = name, words
		f.Servers = append(f.Servers, server)
	}
	err := f.each(f.adapters, "--as", func(s *experiment.Server, kind string) error {
		a, ok := experiment.Adapters[kind]
		if !ok {
			return fmt.Errorf("no kind of server %q: there are %s", kind, strings.Join(experiment.AdapterNames(), ", "))
		}
		s.URL, s.API, s.Dialect = a.URL, a.API, a.Dialect
		return nil
	})
	if err != nil {
		return err
	}
	if err := f.each(f.urls, "--url", func(s *experiment.Server, url string) error { s.URL = url; return nil }); err != nil {
		return err
	}
	if err := f.each(f.apis, "--api", func(s *experiment.Server, url string) error { s.API = url; return nil }); err != nil {
		return err
	}
	for _, e := range f.env {
		name, pair, _ := strings.Cut(e, ":")
		s := f.server(name)
		if s == nil || !strings.Contains(pair, "=") {
			return fmt.Errorf("--env %q: must be NAME:KEY=VALUE, with the name of a --server", e)
		}
		s.Env = append(s.Env, pair)
	}
	if len(f.servers) < 2 {
		return fmt.Errorf("%d servers: a comparison takes two or more, each as --server NAME=COMMAND", len(f.servers))
	}
	return nil
}

func (f *runFlags) server(name string) *experiment.Server {
	for i := range f.Servers {
		if f.Servers[i].Name == name {
			return &f.Servers[i]
		}
	}
	return nil
}

// each applies values of the form [NAME=]VALUE to one server, or to all.
func (f *runFlags) each(values []string, flagName string, set func(*experiment.Server, string) error) error {
	for _, v := range values {
		name, value, named := strings.Cut(v, "=")
		s := f.server(name)
		switch {
		case named && s != nil:
			if err := set(s, value); err != nil {
				return fmt.Errorf("%s %s: %w", flagName, v, err)
			}
			continue
		case named && !strings.ContainsAny(name, ":/"):
			return fmt.Errorf("%s %s: no --server is named %s", flagName, v, name)
		}
		for i := range f.Servers { // a URL may have a = of its own
			if err := set(&f.Servers[i], v); err != nil {
				return fmt.Errorf("%s %s: %w", flagName, v, err)
			}
		}
	}
	return nil
}
