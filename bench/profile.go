package bench

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"roost/bench/cpuprofile"
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

// readProfile divides a CPU profile that is in a file.
func readProfile(file string) (*profile, error) {
	p, err := cpuprofile.Read(file)
	if err != nil {
		return nil, err
	}
	return divide(p)
}

// divide says whose each sample is.
func divide(from *cpuprofile.Profile) (*profile, error) {
	total := float64(from.CPU())
	if total <= 0 {
		return nil, errors.New("the profile has no samples")
	}
	p := &profile{Samples: int(from.CPU() / from.Period)}
	tops := map[hot]float64{}
	for _, s := range from.Samples {
		of, function, kernel := attribute(s.Stack)
		share := float64(s.CPU) / total
		if kernel {
			p.Kernel[of] += share
		} else {
			p.User[of] += share
		}
		tops[hot{Function: function, Kernel: kernel}] += share
	}
	p.rank(tops)
	return p, nil
}

// mostHot is how many functions are named.
const mostHot = 25

func (p *profile) rank(tops map[hot]float64) {
	for h, share := range tops {
		h.Share = share
		p.Top = append(p.Top, h)
	}
	slices.SortFunc(p.Top, func(a, b hot) int {
		kernel := 0
		if a.Kernel != b.Kernel {
			kernel = -1
			if a.Kernel {
				kernel = 1
			}
		}
		return cmp.Or(cmp.Compare(b.Share, a.Share), strings.Compare(a.Function, b.Function), kernel)
	})
	p.Top = p.Top[:min(len(p.Top), mostHot)]
}
