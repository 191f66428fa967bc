package usage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Machine returns the CPU time that all of this machine has spent working, and
// what the host took from it (steal), since boot, in steps of 10 ms per core.
// What is in it beside server and generator is other work, which makes a
// measurement worth less.
func Machine() (busy, steal time.Duration) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return parseStat(string(line))
}

// parseStat reads "cpu user nice system idle iowait irq softirq steal ...".
func parseStat(line string) (busy, steal time.Duration) {
	f := strings.Fields(line)
	if len(f) < 9 {
		return 0, 0
	}
	for i, v := range f[1:9] {
		n, _ := strconv.ParseInt(v, 10, 64)
		switch i {
		case 3, 4: // idle, waiting for disks
		case 7:
			steal += time.Duration(n) * tick
		default:
			busy += time.Duration(n) * tick
		}
	}
	return busy, steal
}

// Meminfo returns what /proc/meminfo says, in bytes.
func Meminfo() (map[string]int64, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	return parseMeminfo(string(data)), nil
}

// parseMeminfo reads lines "MemFree:  123 kB".
func parseMeminfo(data string) map[string]int64 {
	m := map[string]int64{}
	for line := range strings.Lines(data) {
		f := strings.Fields(line)
		if len(f) == 3 && f[2] == "kB" {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				m[strings.TrimSuffix(f[0], ":")] = n << 10
			}
		}
	}
	return m
}
