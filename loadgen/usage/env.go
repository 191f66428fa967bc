package usage

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"roost/poller"
)

// Env is the machine and what of its settings moves the numbers.
type Env struct {
	Kernel     string `json:"kernel"`
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	MemoryMiB  int64  `json:"memory_mib"`
	Go         string `json:"go"`
	Congestion string `json:"tcp_congestion"`
	PortRange  string `json:"ip_local_port_range"`
	Files      int    `json:"nofile"`
	Load       string `json:"loadavg"` // when the run began
}

// String is the environment in one line.
func (e Env) String() string {
	return fmt.Sprintf("%s, %d cores (%s), %d MiB, linux %s, %s, nofile %d, load %s before",
		e.Go, e.Cores, e.CPU, e.MemoryMiB, e.Kernel, e.Congestion, e.Files, e.Load)
}

// ReadEnv describes this machine. What cannot be read stays empty.
func ReadEnv() Env {
	e := Env{Cores: runtime.NumCPU(), Go: runtime.Version(),
		Congestion: word("/proc/sys/net/ipv4/tcp_congestion_control"),
		PortRange:  word("/proc/sys/net/ipv4/ip_local_port_range"),
		Load:       word("/proc/loadavg"),
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		e.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	e.Files, _ = poller.FileLimit()
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		total, _ := kilobytes(append([]byte("\n"), data...), "\nMemTotal:")
		e.MemoryMiB = total >> 20
	}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				e.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	return e
}

// word reads a small file as one line with single spaces.
func word(path string) string {
	data, _ := os.ReadFile(path)
	return string(bytes.Join(bytes.Fields(data), []byte(" ")))
}
