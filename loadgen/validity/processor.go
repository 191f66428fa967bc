package validity

import (
	"fmt"
	"time"
)

// Names of the checks of what the generator had of the processors.
const (
	nameCPU       = "worker cpu"
	nameRunDelay  = "run delay"
	nameThrottled = "throttled"
	nameGC        = "gc pause p99"
	nameSched     = "scheduling p99"
	namePSI       = "cpu pressure"
	nameSteal     = "steal"
)

const (
	// sharedSlack is how many times longer than the limit a worker may wait for
	// a processor that it shares with the server, before the run is invalid. With
	// the usual limit of 0.1 that is between the two kinds that were measured.
	sharedSlack = 5
	// Shares of the machine's time that went to other virtual machines: from
	// the one on a reader should know, beyond the other the server did not have
	// what it seemed to have either.
	someSteal = .02
	maxSteal  = .1
)

// onShared adds what a reader of a machine that is shared should know.
func (j *judge) onShared(mend string) string {
	if j.o.Shared {
		return "The server runs on the same processors, so some waiting is expected; send lag, hiccup and rx lag show what it costs. " + mend
	}
	return mend
}

// processor judges what each worker had.
func (j *judge) processor() {
	share := func(d time.Duration) float64 {
		if d < 0 || j.o.Length <= 0 {
			return Unread
		}
		return d.Seconds() / j.o.Length.Seconds()
	}
	l := j.limits
	cpu := j.worst(func(w *Worker) float64 { return share(w.CPU) })
	j.add(check{name: nameCPU, unit: "cores", value: cpu.value, limit: l.CPU, off: l.CPU <= 0, unknown: cpu.unknown,
		means: fmt.Sprintf("What %s used of the one core that its loop can use.", cpu.whose),
		mend:  "A loop that is always busy reads late: use more workers, or a lower rate."})
	slack := 0.0
	if j.o.Shared {
		slack = sharedSlack * l.RunDelay
	}
	wait := j.worst(func(w *Worker) float64 { return share(w.RunDelay) })
	j.add(check{name: nameRunDelay, unit: "share", value: wait.value, limit: l.RunDelay, slack: slack, off: l.RunDelay <= 0, unknown: wait.unknown,
		means: fmt.Sprintf("Share of the time in which threads of %s were ready to run but had no processor.", wait.whose),
		mend:  j.onShared("Give workers processors of their own, stop what else runs, or use a lower rate.")})
	throttled := j.worst(func(w *Worker) float64 { return float64(w.Throttled) })
	j.add(check{name: nameThrottled, unit: "1", value: throttled.value, off: l.RunDelay <= 0, unknown: throttled.unknown,
		means: fmt.Sprintf("Periods in which the cgroup of %s had no processor time left.", throttled.whose),
		mend:  "The generator was stopped on purpose: raise cpu.max of its cgroup, or the container's limit."})
	gc := j.worst(func(w *Worker) float64 { return float64(w.GCPause) })
	j.add(check{name: nameGC, unit: "ns", value: gc.value, limit: float64(l.GCPause), advice: j.o.Shared, off: l.GCPause <= 0, unknown: gc.unknown,
		means: fmt.Sprintf("How long the garbage collector stopped %s.", gc.whose), mend: j.onShared("Give it fewer clients, or GOGC=400.")})
	sched := j.worst(func(w *Worker) float64 { return float64(w.Sched) })
	j.add(check{name: nameSched, unit: "ns", value: sched.value, limit: float64(l.GCPause), advice: j.o.Shared, off: l.GCPause <= 0, unknown: sched.unknown,
		means: fmt.Sprintf("How long goroutines of %s were ready to run but did not run.", sched.whose),
		mend:  j.onShared("Give workers processors of their own.")})
}

// machine judges what the workers' machines had.
func (j *judge) machine() {
	psi := j.worstMachine(func(m *Machine) float64 { return m.PSI })
	text := "Stop what else runs on it."
	if j.o.Shared {
		text = "That is server and generator together, so it is no more than a hint: what counts is the workers' own run delay."
	}
	j.add(check{name: namePSI, unit: "%", value: psi.value, limit: j.limits.PSI, off: j.limits.PSI <= 0, advice: j.o.Shared, unknown: psi.unknown,
		means: fmt.Sprintf("Share of the time in which something on %s waited for a processor (the worst 10 s).", psi.whose), mend: text})
	steal := j.worstMachine(func(m *Machine) float64 { return m.Steal })
	j.add(check{name: nameSteal, unit: "share", value: steal.value, limit: someSteal, slack: maxSteal, off: j.limits.RunDelay <= 0, unknown: steal.unknown,
		means: fmt.Sprintf("Share of the processor time of %s that its hypervisor gave to others.", steal.whose),
		mend:  "Neither the generator nor a server beside it had the whole machine: use a quieter or a dedicated one, and repeat runs in pairs."})
}

// worstMachine is worst, of machines.
func (j *judge) worstMachine(read func(m *Machine) float64) (out worst) {
	lacking := 0
	for i := range j.o.Machines {
		m := &j.o.Machines[i]
		v := read(m)
		switch {
		case v < 0:
			lacking++
		case out.whose == "" || v > out.value:
			out.value, out.whose = v, m.name()
		}
	}
	switch n := len(j.o.Machines); {
	case n == 0:
		out.unknown = "no worker told of its machine"
	case lacking > 0:
		out.unknown = fmt.Sprintf("%d of %d machines do not tell", lacking, n)
	}
	if out.whose == "" {
		out.whose = "the machine"
	}
	return out
}

func (m *Machine) name() string {
	if m.Host == "" {
		return "the machine"
	}
	return m.Host
}
