package worker

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"roost/loadgen/link"
	"roost/loadgen/tally"
	"roost/loadgen/usage"
)

// self is this process. There is one id for it, 0.
const self = usage.Process(0)

// processWatch is a Watch of this process and its machine.
type processWatch struct {
	// Static.
	stop   func() // of the hiccup meter
	cgroup usage.Cgroup
	err    error // why there is no cgroup
	sched  usage.Sched
	net    usage.NetCounters

	// Owned by who calls Read.
	runtime usage.Runtime

	// Guarded by hiccups.
	hiccups sync.Mutex
	late    *tally.Hist
	paused  bool
}

// WatchProcess begins to watch this process, one of so many workers on this
// machine.
func WatchProcess(workers int) Watch {
	every := hiccupEvery(workers, runtime.NumCPU())
	w := &processWatch{runtime: usage.ReadRuntime(), late: tally.NewHist()}
	w.cgroup, w.err = usage.FindCgroup(self)
	w.sched, _ = self.Sched()          // Read says what cannot be read
	w.net, _ = usage.ReadNetCounters() // as well
	w.stop = usage.WatchHiccups(every, func(ns int64) {
		w.hiccups.Lock()
		defer w.hiccups.Unlock()
		if !w.paused {
			w.late.Record(ns)
		}
	})
	return w
}

// Pause implements Watch.
func (w *processWatch) Pause(on bool) {
	w.hiccups.Lock()
	w.paused = on
	w.hiccups.Unlock()
}

func (w *processWatch) Close() { w.stop() }

// Read takes about 0.2 ms, and 15 ms for each 20,000 sockets if whole is set.
func (w *processWatch) Read(whole bool) (*link.Self, *tally.Hist) {
	s := &link.Self{RecvQ: -1, Throttled: -1, PSI: -1}
	unread := func(what string, err error) {
		if err != nil {
			s.Unread = append(s.Unread, fmt.Sprintf("%s: %v", what, err))
		}
	}
	var err error
	if s.CPU, err = self.CPU(); err != nil {
		s.CPU = -1
		unread("cpu", err)
	}
	if sched, err := self.Sched(); err == nil {
		d := sched.Sub(w.sched)
		s.Threads, s.RunDelay = max(d.Run, 0), max(d.Delay, 0)
	} else {
		s.Threads, s.RunDelay = -1, -1
		unread("run delay", err)
	}
	if status, err := self.Status(); err == nil {
		s.RSS, s.PeakRSS = status.RSS, status.PeakRSS
	} else {
		unread("memory", err)
	}
	now := usage.ReadRuntime()
	now.PausesSince(w.runtime, record(&s.GCPause))
	now.LatenciesSince(w.runtime, record(&s.Sched))
	w.runtime = now
	w.readMachine(s, unread)
	if whole {
		q, err := self.RecvQueues()
		if err == nil {
			s.RecvQ = q.Bytes
		}
		unread("receive queues", err)
	}
	w.hiccups.Lock()
	defer w.hiccups.Unlock()
	late := w.late
	w.late = tally.NewHist()
	return s, late
}

// record records into a histogram that is made when there is something for it.
func record(h **tally.Hist) func(ns int64, n uint64) {
	return func(ns int64, n uint64) {
		if *h == nil {
			*h = tally.NewHist()
		}
		(*h).RecordN(ns, n)
	}
}

// readMachine reads what belongs to the machine.
func (w *processWatch) readMachine(s *link.Self, unread func(string, error)) {
	if w.err != nil {
		unread("throttling", w.err)
	} else if t, err := w.cgroup.Throttled(); err == nil {
		s.Throttled = t.Periods
	} else {
		unread("throttling", err)
	}
	if p, err := usage.ReadPressure("cpu"); err == nil {
		s.PSI = p.Avg10
	} else {
		unread("pressure", err)
	}
	if s.Busy, s.Steal = usage.Machine(); s.Busy == 0 { // no machine has done nothing since it was started
		s.Busy, s.Steal = -1, -1
		unread("busy time and steal", errors.New("/proc/stat does not tell"))
	}
	n, err := usage.ReadNetCounters()
	if err != nil {
		unread("counters of TCP", err)
		return
	}
	d := n.Sub(w.net)
	s.Net = link.Net{"ListenOverflows": d.ListenOverflows, "ListenDrops": d.ListenDrops, "TCPBacklogDrop": d.BacklogDrop,
		"TCPRcvQDrop": d.RcvQDrop, "RetransSegs": d.Retransmitted, "TCPTimeWaitOverflow": d.TimeWaitOverflow}
}

// hiccupEvery is how often each of so many workers looks for hiccups. A look is a
// wake-up of a process, which costs about eight switches of threads: that of 54
// workers 20 times a second each was a core's half.
func hiccupEvery(workers, cores int) time.Duration {
	crowd := max(workers/max(cores, 1), 1)
	return min(usage.HiccupEvery*time.Duration(crowd*crowd), 100*time.Millisecond)
}
