package usage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Processes is the CPU time of every process of this machine at one time, in
// steps of 10 ms, by what it is called.
type Processes struct {
	at  time.Time
	cpu map[Process]named
}

type named struct {
	name string
	cpu  time.Duration
}

// ReadProcesses reads it; it takes about 10 us a process.
func ReadProcesses() Processes {
	list := Processes{time.Now(), map[Process]named{}}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if name, cpu, ok := parseProcess(data); ok && err == nil {
			list.cpu[Process(pid)] = named{name, cpu}
		}
	}
	return list
}

// parseProcess reads /proc/PID/stat: the name in parentheses may hold anything.
func parseProcess(data []byte) (name string, cpu time.Duration, ok bool) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return "", 0, false
	}
	f := bytes.Fields(data[end+1:])
	if len(f) < 13 {
		return "", 0, false
	}
	u, err1 := strconv.ParseInt(string(f[11]), 10, 64)
	s, err2 := strconv.ParseInt(string(f[12]), 10, 64)
	return string(data[open+1 : end]), time.Duration(u+s) * tick, err1 == nil && err2 == nil
}

// Busy is what processes of one name used, in cores.
type Busy struct {
	Name  string
	Cores float64
}

// Since lists who used most since before, at most n names that used 1 % of a
// core, without the processes given.
func (l Processes) Since(before Processes, n int, without ...Process) (busy []Busy) {
	wall := l.at.Sub(before.at)
	if wall <= 0 {
		return nil
	}
	sum := map[string]time.Duration{}
	for pid, p := range l.cpu {
		if slices.Contains(without, pid) {
			continue
		}
		used := p.cpu
		if b, known := before.cpu[pid]; known && b.cpu <= used {
			used -= b.cpu
		}
		sum[p.name] += used
	}
	for name, used := range sum {
		if cores := float64(used) / float64(wall); cores >= .01 {
			busy = append(busy, Busy{name, cores})
		}
	}
	slices.SortFunc(busy, func(a, b Busy) int {
		if a.Cores != b.Cores {
			if a.Cores > b.Cores {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return busy[:min(len(busy), n)]
}

// Load lists how busy the machine is now: load average, pressure, and the
// busiest processes, if they are given.
func Load(busy []Busy) []Fact {
	var f facts
	f.add("loadavg", word("/proc/loadavg"))
	for _, resource := range []string{"cpu", "memory", "io"} {
		if p, err := ReadPressure(resource); err == nil {
			f.add("pressure_"+resource+"_avg10", strconv.FormatFloat(p.Avg10, 'f', 2, 64))
		}
	}
	for _, b := range busy {
		f.add("process "+b.Name, fmt.Sprintf("%.2f cores", b.Cores))
	}
	return f
}
