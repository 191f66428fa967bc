package probe

import (
	"math"
	"time"

	"roost/loadgen/result"
)

// reading is what one server had used at one time.
type reading struct {
	ok      bool // all of it could be read
	pid     int
	started int64
	// end ends what was before; begin begins what comes after. A collection that
	// was asked for lies between.
	end, begin sums
	levels     levels
}

// sums only grow, as long as the process is the same.
type sums struct {
	cpu, user, system time.Duration
	softirq           time.Duration
	gcs               float64
	metrics           metrics // nil: none
}

// levels are the fields of a ServerUse that go up and down; -1 is not known.
type levels struct {
	RSS, PSS, Heap, Stacks, Slab, Sock int64
	Files, Goroutines                  int
}

func unknown() levels { return levels{-1, -1, -1, -1, -1, -1, -1, -1} }

// fromCgroup takes memory.stat of version 2.
func (l *levels) fromCgroup(stat map[string]int64) {
	if anon, ok := stat["anon"]; ok {
		l.RSS = anon + stat["file_mapped"]
	}
	if n, ok := stat["slab"]; ok {
		l.Slab = n
	}
	if n, ok := stat["sock"]; ok {
		l.Sock = n
	}
}

// difference returns what was used between two readings. A process that is
// another one in the second began with nothing.
func difference(before, after *reading) result.ServerUse {
	l := after.levels
	if !after.ok && l == (levels{}) {
		l = unknown() // it was never read
	}
	u := result.ServerUse{RSS: l.RSS, PSS: l.PSS, Heap: l.Heap, Stacks: l.Stacks, Slab: l.Slab, Sock: l.Sock, Files: l.Files, Goroutines: l.Goroutines}
	if !before.ok || !after.ok {
		return u
	}
	from, to := before.begin, after.end
	u.Softirq = max(to.softirq-from.softirq, 0)
	if before.pid != after.pid || before.started != after.started {
		from = sums{}
	}
	u.CPU, u.User, u.System = max(to.cpu-from.cpu, 0), max(to.user-from.user, 0), max(to.system-from.system, 0)
	u.GCs = int(math.Round(max(to.gcs-from.gcs, 0)))
	u.GCPauseMax = longestPause(from.metrics, to.metrics)
	return u
}
