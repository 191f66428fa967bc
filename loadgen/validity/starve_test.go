package validity

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"roost/loadgen/result"
	"roost/loadgen/tally"
	"roost/loadgen/usage"
)

// childEnv makes the test binary a stand-in for a worker.
const childEnv = "ROOST_VALIDITY_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := child(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// report is what the stand-in sees of itself.
type report struct {
	Length, RunDelay, CPU time.Duration
	Hiccup                *tally.Hist
}

// child is woken each half millisecond, as a worker is, until its input ends.
// It says when it begins, and what it saw at the end.
func child() error {
	self := usage.Process(os.Getpid())
	before, err := self.Sched()
	if err != nil {
		return err
	}
	begin := time.Now()
	h := tally.NewHist()
	metering, once := make(chan struct{}), sync.Once{}
	stop := usage.WatchHiccups(usage.HiccupEvery, func(ns int64) {
		h.Record(ns)
		once.Do(func() { close(metering) })
	})
	<-metering
	if _, err := os.Stdout.WriteString("\n"); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(ended)
	}()
	for open := true; open; {
		pause := unix.NsecToTimespec(int64(500 * time.Microsecond))
		_ = unix.Nanosleep(&pause, nil)
		select {
		case <-ended:
			open = false
		default:
		}
	}
	stop()
	after, err := self.Sched()
	if err != nil {
		return err
	}
	used := after.Sub(before)
	return json.NewEncoder(os.Stdout).Encode(report{Length: time.Since(begin), RunDelay: used.Delay, CPU: used.Run, Hiccup: h})
}

// startOn starts a process on a processor, or on any if that is negative.
func startOn(t *testing.T, cpu int, cmd *exec.Cmd) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cpu >= 0 {
		var was, one unix.CPUSet
		if err := unix.SchedGetaffinity(0, &was); err != nil {
			t.Fatal(err)
		}
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.SchedSetaffinity(0, &was) }()
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// watch runs a stand-in while during happens to it, and judges a run that was
// healthy otherwise.
func watch(t *testing.T, cpu int, during func(pid int)) []result.Check {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	startOn(t, cpu, cmd)
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = in.Close() }()
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	during(cmd.Process.Pid)
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.NewDecoder(out).Decode(&r); err != nil {
		t.Fatal(err)
	}
	t.Logf("in %v: used %v, waited %v, hiccups p99 %v, p99.9 %v, max %v", r.Length, r.CPU, r.RunDelay,
		time.Duration(r.Hiccup.Quantile(.99)), time.Duration(r.Hiccup.Quantile(.999)), time.Duration(r.Hiccup.Max()))
	o := healthy()
	o.Length = r.Length
	w := &o.Workers[0]
	w.CPU, w.RunDelay, w.Hiccup = r.CPU, r.RunDelay, r.Hiccup
	return Judge(o, limits())
}

// TestStoppedProcess: one second of SIGSTOP makes a run INVALID.
func TestStoppedProcess(t *testing.T) {
	checks := watch(t, -1, func(pid int) {
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the subject, not a wait for it
		if err := unix.Kill(pid, unix.SIGCONT); err != nil {
			t.Fatal(err)
		}
	})
	if c, _ := find(checks, nameHiccupMax); c.State != stateFail || Verdict(checks) != result.Invalid {
		t.Errorf("%s: %+v", Verdict(checks), c)
	}
}

// TestStarvedProcess: a worker that is pinned beside an endless loop makes a run
// INVALID, though server and generator share the machine.
func TestStarvedProcess(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	loop := exec.Command("sh", "-c", "while :; do :; done")
	startOn(t, cpu, loop)
	defer func() {
		_ = loop.Process.Kill()
		_ = loop.Wait()
	}()
	checks := watch(t, cpu, func(int) { time.Sleep(2 * time.Second) })
	if Verdict(checks) != result.Invalid {
		for _, c := range checks {
			t.Errorf("%s: %s, %g, limit %g", c.Name, c.State, c.Value, c.Limit)
		}
	}
}
