package experiment

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// fakeServer says on its port what a message costs it.
func fakeServer(args []string) {
	fs := flag.NewFlagSet("server", flag.ExitOnError)
	listen := fs.String("listen", "", "")
	cost := fs.String("cost", "2000", "")
	dir := fs.String("dir", "", "")
	deaf := fs.Bool("deaf", false, "SIGTERM does nothing")
	mute := fs.Bool("mute", false, "do not say ready")
	refuse := fs.Bool("refuse", false, "do not start")
	_ = fs.Parse(args)
	if *refuse {
		fmt.Fprintln(os.Stderr, "first line")
		fmt.Fprintln(os.Stderr, "cannot open the store: no space left")
		os.Exit(3)
	}
	if _, err := os.ReadDir(*dir); *dir != "" && err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	http.HandleFunc("/cost", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, *cost) })
	http.HandleFunc("/die", func(http.ResponseWriter, *http.Request) { fmt.Println("panic: as asked"); os.Exit(7) })
	http.HandleFunc("/profile", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "profile of "+r.FormValue("seconds")+" s")
	})
	go func() {
		if err := http.ListenAndServe(*listen, nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
	if !*mute {
		for {
			if r, err := http.Get("http://" + *listen + "/cost"); err == nil {
				r.Body.Close()
				break
			}
		}
		fmt.Println("ready on", *listen)
	}
	<-term
	for *deaf {
		time.Sleep(time.Hour)
	}
}

// fakeLoadgen asks the server for its cost and leaves a result of it. FAKE_DO
// says what else it does; its directory counts the runs.
func fakeLoadgen(args []string) error {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	target, out, pid := fs.String("url", "", ""), fs.String("out", "", ""), fs.Int("pid", 0, "")
	fs.String("api", "", "")
	fs.String("dialect", "", "")
	labels, params := map[string]string{}, []string{}
	fs.Func("label", "", func(s string) error { k, v, _ := strings.Cut(s, "="); labels[k] = v; return nil })
	fs.Func("p", "", func(s string) error { params = append(params, s); return nil })
	if len(args) < 2 || args[0] != "run" {
		return fmt.Errorf("called as %q", args)
	}
	if err := fs.Parse(args[2:]); err != nil {
		return err
	}
	do := os.Getenv("FAKE_DO")
	if do == "wait" {
		return waitForInterrupt(*out, labels)
	}
	u, err := url.Parse(*target)
	if err != nil {
		return err
	}
	if do == "die" && labels["server"] == "B" {
		_, _ = http.Get("http://" + u.Host + "/die")
	}
	if do == "fail" {
		return fmt.Errorf("scenario %s: no phase", args[1])
	}
	if err := syscall.Kill(*pid, 0); err != nil && do != "die" {
		return fmt.Errorf("pid %d: %w", *pid, err)
	}
	r, err := http.Get("http://" + u.Host + "/cost")
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	cost, err := strconv.ParseFloat(string(body), 64)
	if err != nil {
		return err
	}
	if do == "profile" {
		// The load lasts until the profile is there.
		for _, err := os.Stat(strings.TrimSuffix(*out, ".json") + ".pprof"); err != nil; _, err = os.Stat(strings.TrimSuffix(*out, ".json") + ".pprof") {
			time.Sleep(time.Millisecond)
		}
	}
	verdict := result.Valid
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(*out), "*-B*.json"))
	if do == "invalid" && labels["server"] == "B" || do == "invalid-once" && labels["server"] == "B" && len(names) == 1 {
		verdict = result.Invalid
	}
	return result.WriteFile(*out, fakeResult(args[1], cost+float64(len(*out)%3), verdict, labels))
}

// fakeResult is a run in which a message costs so many ns.
func fakeResult(scenario string, cost float64, verdict result.Verdict, labels map[string]string) *result.Result {
	h := tally.NewHist()
	h.RecordN(4e6, 100_000)
	t := &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Expected: 100_000, Delivered: 100_000, Planned: 10, Sent: 10}}}}
	t.Groups[0].Hists[tally.Delivery] = h
	r := &result.Result{Schema: result.Schema, ID: "fake", Started: time.Now(), Ended: time.Now(), Verdict: verdict, Labels: labels,
		Scenario:      result.Scenario{Name: scenario, Groups: []result.Group{{Name: "all", Share: 1, Reads: true}}},
		Comparability: result.Comparability{Hash: "same"},
		Phases: []result.Phase{{Name: "hold", Length: 10 * time.Second, Outcome: "done", Tally: t, Connected: 1000,
			Servers: []result.ServerUse{{CPU: time.Duration(cost * 100_000), RSS: 20e6, PSS: -1, Heap: -1, Stacks: -1, Slab: -1, Sock: -1}}}},
		Servers: []result.Server{{Name: "server", Source: "pid"}}}
	if verdict == result.Invalid {
		r.Validity = []result.Check{{Name: "own CPU", Value: 0.97, Limit: 0.8, Unit: "share", State: "fail", Text: "use more workers"}}
	}
	return r
}

// waitForInterrupt leaves a result when it gets a SIGINT.
func waitForInterrupt(out string, labels map[string]string) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	fmt.Println("waiting in group", syscall.Getpgrp())
	<-interrupts
	return result.WriteFile(out, fakeResult("fan-out", 1, result.Interrupted, labels))
}
