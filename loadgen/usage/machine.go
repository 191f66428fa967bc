package usage

import (
	"bytes"
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
