package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// part is whose CPU time a sample is.
type part uint8

const (
	partHTTP    part = iota // net/http, server/api and what they call
	partOurs                // the rest of roost
	partRuntime             // the Go runtime by itself: scheduler, collector
	parts
)

// profile is a CPU profile, divided: by part, in the order above.
type profile struct {
	Samples int            `json:"samples"`
	User    [parts]float64 `json:"user"`   // shares of all samples
	Kernel  [parts]float64 `json:"kernel"` // those that ended in a system call, by who made it
	// Top is where our own and HTTP's user time goes: the innermost functions of
	// roost and net/http, with what they call outside, as shares of all samples.
	Top []hot `json:"top"`
}

type hot struct {
	Function string  `json:"function"`
	Share    float64 `json:"share"`
	Kernel   bool    `json:"kernel,omitempty"`
}

// userShare returns how much of the user time is a part's.
func (p *profile) userShare(of part) float64 {
	return p.User[of] / max(p.User[partHTTP]+p.User[partOurs]+p.User[partRuntime], 1e-9)
}

// kernelShare returns how much of the kernel's time is for a part.
func (p *profile) kernelShare(of part) float64 {
	return p.Kernel[of] / max(p.Kernel[partHTTP]+p.Kernel[partOurs]+p.Kernel[partRuntime], 1e-9)
}

// httpPackages are on the side of HTTP though some are roost's: api and what
// only it uses.
var httpPackages = []string{"net/http.", "roost/server/api.", "roost/server/metrics."}

// syscallFunctions is what stands at the end of a stack that is in the kernel.
var syscallFunctions = []string{"internal/runtime/syscall.", "internal/runtime/syscall/linux.", "runtime/internal/syscall.", "syscall.Syscall",
	"syscall.RawSyscall", "syscall.rawSyscall", "runtime.futex", "runtime.epoll", "runtime.usleep", "runtime.write1", "runtime.read",
	"runtime.madvise", "runtime.mmap", "runtime.munmap", "runtime.sysMmap", "runtime.sysMunmap", "runtime.tgkill", "runtime.osyield",
	"runtime.sigreturn", "runtime.rt_sig", "runtime.rtsig", "runtime.clone", "runtime.timer_settime", "runtime.setitimer"}

// attribute says whose a sample is: the part of the innermost frame that is
// roost's or net/http's, and that function. stack begins with the innermost.
func attribute(stack []string) (of part, function string, kernel bool) {
	if len(stack) == 0 {
		return partRuntime, "", false
	}
	kernel = hasPrefix(stack[0], syscallFunctions)
	for _, f := range stack {
		switch {
		case hasPrefix(f, httpPackages):
			return partHTTP, f, kernel
		case strings.HasPrefix(f, "roost/") || strings.HasPrefix(f, "main."):
			return partOurs, f, kernel
		}
	}
	return partRuntime, stack[0], kernel
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// readProfile divides a CPU profile that is in a file. The Go tool reads it: its
// library is no dependency worth having for this.
func readProfile(ctx context.Context, file string) (*profile, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-raw", file)
	var errout bytes.Buffer
	cmd.Stderr = &errout
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w: %.300s", file, err, errout.String())
	}
	return parseProfile(raw)
}

// parseProfile reads what pprof -raw prints:
//
//	Samples:
//	samples/count cpu/nanoseconds
//	          3   30000000: 1 2 3
//	Locations
//	     1: 0x4a1 M=1 inlined /file.go:12:0 s=10
//	             caller /file.go:34:0 s=30
func parseProfile(raw []byte) (*profile, error) {
	type sample struct {
		count int
		at    []int
	}
	var samples []sample
	functions := map[int][]string{} // of a location, the innermost first
	section, location := "", 0
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		line := lines.Text()
		f := strings.Fields(line)
		switch {
		case len(f) == 1 && (f[0] == "Samples:" || f[0] == "Locations" || f[0] == "Mappings"):
			section = f[0]
		case section == "Samples:" && len(f) >= 3 && strings.HasSuffix(f[1], ":"):
			s := sample{}
			s.count, _ = strconv.Atoi(f[0])
			for _, id := range f[2:] {
				if n, err := strconv.Atoi(id); err == nil {
					s.at = append(s.at, n)
				}
			}
			samples = append(samples, s)
		case section == "Locations" && len(f) >= 4 && strings.HasSuffix(f[0], ":") && strings.HasPrefix(f[1], "0x"):
			location, _ = strconv.Atoi(strings.TrimSuffix(f[0], ":"))
			functions[location] = append(functions[location], functionName(f[3:]))
		case section == "Locations" && len(f) >= 2:
			functions[location] = append(functions[location], functionName(f))
		}
	}
	p := &profile{}
	tops := map[hot]int{}
	for _, s := range samples {
		var stack []string
		for _, id := range s.at {
			stack = append(stack, functions[id]...)
		}
		of, function, kernel := attribute(stack)
		p.Samples += s.count
		if kernel {
			p.Kernel[of] += float64(s.count)
		} else {
			p.User[of] += float64(s.count)
		}
		tops[hot{Function: function, Kernel: kernel}] += s.count
	}
	if p.Samples == 0 {
		return nil, fmt.Errorf("the profile has no samples")
	}
	for i := range parts {
		p.User[i] /= float64(p.Samples)
		p.Kernel[i] /= float64(p.Samples)
	}
	p.rank(tops)
	return p, nil
}

// functionName returns the name at the begin of "name file:line:column s=line";
// those of generic functions have spaces.
func functionName(f []string) string {
	if n := len(f); n > 2 && strings.HasPrefix(f[n-1], "s=") {
		return strings.Join(f[:n-2], " ")
	}
	return f[0]
}

// mostHot is how many functions are named.
const mostHot = 25

func (p *profile) rank(tops map[hot]int) {
	for h, n := range tops {
		h.Share = float64(n) / float64(p.Samples)
		p.Top = append(p.Top, h)
	}
	slices.SortFunc(p.Top, func(a, b hot) int {
		switch {
		case a.Share != b.Share:
			return int(1e9 * (b.Share - a.Share))
		case a.Function != b.Function:
			return strings.Compare(a.Function, b.Function)
		case a.Kernel:
			return 1
		}
		return -1
	})
	p.Top = p.Top[:min(len(p.Top), mostHot)]
}
