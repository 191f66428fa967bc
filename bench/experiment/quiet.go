package experiment

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// quietShare is the busy share of all CPUs below which a machine is quiet.
	quietShare  = 0.10
	quietWindow = 500 * time.Millisecond
)

// cooldown waits at least so long, and then until the machine is quiet, but no
// longer than most; not at all if that is negative. It returns how busy the machine was in the end, -1 if that
// could not be read.
func cooldown(ctx context.Context, least, most time.Duration) (busy float64, err error) {
	if err := pause(ctx, least); err != nil {
		return -1, err
	}
	if most < 0 {
		return -1, nil
	}
	end := time.Now().Add(most)
	for {
		before, ok := readCPU()
		if err := pause(ctx, quietWindow); err != nil {
			return -1, err
		}
		after, _ := readCPU()
		if !ok {
			return -1, nil
		}
		busy = after.busySince(before)
		if busy <= quietShare || time.Now().After(end) {
			return busy, nil
		}
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// cpuTime is the first line of /proc/stat, in ticks.
type cpuTime struct{ idle, all uint64 }

func readCPU() (cpuTime, bool) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTime{}, false
	}
	t, err := parseCPU(string(b))
	return t, err == nil
}

// parseCPU reads "cpu  user nice system idle iowait irq softirq steal ...".
// Waiting for a disk is idle; guests' time is in user already.
func parseCPU(stat string) (t cpuTime, err error) {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return t, fmt.Errorf("/proc/stat begins with %.60q", line)
	}
	for i, s := range f[1:9] {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return t, fmt.Errorf("/proc/stat: %w", err)
		}
		t.all += n
		if i == 3 || i == 4 {
			t.idle += n
		}
	}
	return t, nil
}

// busySince is the share of time that was not idle.
func (t cpuTime) busySince(before cpuTime) float64 {
	if t.all <= before.all {
		return 0
	}
	return 1 - float64(t.idle-min(before.idle, t.idle))/float64(t.all-before.all)
}
