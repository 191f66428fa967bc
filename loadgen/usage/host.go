package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Host lists what of the machine and of this process moves the numbers of a
// run, in a fixed order. What cannot be read is left out.
func Host() []Fact {
	var f facts
	addCPU(&f)
	addKernel(&f)
	addContainer(&f)
	f.add("go", runtime.Version())
	f.add("gomaxprocs", strconv.Itoa(runtime.GOMAXPROCS(0)))
	f.add("gogc", os.Getenv("GOGC"))
	if limit := debug.SetMemoryLimit(-1); limit < 1<<62 {
		f.add("gomemlimit", strconv.FormatInt(limit, 10))
	}
	return f
}

func addCPU(f *facts) {
	data, _ := os.ReadFile("/proc/cpuinfo")
	cpu := parseCPU(string(data))
	f.add("cpu", cpu.Model)
	f.add("cpu_threads", strconv.Itoa(runtime.NumCPU()))
	f.add("cpu_cores", count(cpu.Cores))
	f.add("cpu_sockets", count(cpu.Sockets))
	f.add("smt", word("/sys/devices/system/cpu/smt/active"))
	f.add("governor", word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
	f.add("turbo", turbo())
	f.add("affinity", affinity())
	f.add("numa_nodes", word("/sys/devices/system/node/online"))
	if mem, err := os.ReadFile("/proc/meminfo"); err == nil {
		total, _ := kilobytes(append([]byte("\n"), mem...), "\nMemTotal:")
		f.add("memory_mib", strconv.FormatInt(total>>20, 10))
		swap, _ := kilobytes(mem, "\nSwapTotal:")
		f.add("swap_mib", strconv.FormatInt(swap>>20, 10))
	}
	f.add("mitigations", mitigations())
}

// CPU is what /proc/cpuinfo says.
type CPU struct {
	Model          string
	Sockets, Cores int // 0: it does not say
	Virtual        bool
}

// parseCPU counts sockets and cores by their ids.
func parseCPU(data string) (c CPU) {
	sockets, cores := map[string]bool{}, map[string]bool{}
	socket := ""
	for line := range strings.Lines(data) {
		name, value, ok := strings.Cut(line, ":")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok {
			continue
		}
		switch name {
		case "model name", "Processor", "cpu model":
			c.Model = value
		case "physical id":
			socket = value
			sockets[socket] = true
		case "core id":
			cores[socket+"/"+value] = true
		case "flags":
			c.Virtual = c.Virtual || strings.Contains(" "+value+" ", " hypervisor ")
		}
	}
	c.Sockets, c.Cores = len(sockets), len(cores)
	return c
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// turbo says whether clocks may rise above their nominal rate.
func turbo() string {
	if v := word("/sys/devices/system/cpu/cpufreq/boost"); v != "" {
		return v
	}
	switch word("/sys/devices/system/cpu/intel_pstate/no_turbo") {
	case "0":
		return "1"
	case "1":
		return "0"
	}
	return ""
}

// affinity counts the cores that this process may run on.
func affinity() string {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return ""
	}
	return strconv.Itoa(set.Count())
}

// mitigations lists what the kernel does about flaws of the CPU.
func mitigations() string {
	files, _ := filepath.Glob("/sys/devices/system/cpu/vulnerabilities/*") // sorted
	var list []string
	for _, file := range files {
		if v := word(file); v != "" && v != "Not affected" {
			list = append(list, filepath.Base(file)+": "+v)
		}
	}
	return strings.Join(list, "; ")
}

func addKernel(f *facts) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		f.add("kernel", unix.ByteSliceToString(u.Release[:]))
		f.add("arch", unix.ByteSliceToString(u.Machine[:]))
	}
	f.add("clocksource", Clocksource())
	f.add("thp", chosen(word("/sys/kernel/mm/transparent_hugepage/enabled")))
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		f.add("nofile", fmt.Sprintf("%d/%d", files.Cur, files.Max))
	}
}

// Clocksource returns the kernel's: tsc is read in 25 ns, others may take 1 us.
func Clocksource() string {
	return word("/sys/devices/system/clocksource/clocksource0/current_clocksource")
}

// chosen returns the word in brackets.
func chosen(s string) string {
	_, rest, _ := strings.Cut(s, "[")
	v, _, _ := strings.Cut(rest, "]")
	return v
}

func addContainer(f *facts) {
	f.add("virtualisation", virtualisation())
	c, err := FindCgroup(0)
	if err != nil || c.Version == 0 {
		return
	}
	f.add("cgroup", "v"+strconv.Itoa(c.Version))
	if limit, _, ok := c.MemoryLimit(); ok {
		f.add("cgroup_memory", strconv.FormatInt(limit, 10))
	}
	if cores, ok := c.CPULimit(); ok {
		f.add("cgroup_cores", strconv.FormatFloat(cores, 'g', 4, 64))
	}
	if left, ok := c.PIDLimit(); ok {
		f.add("cgroup_pids_left", strconv.FormatInt(left, 10))
	}
}

// virtualisation names what is below this kernel and around this process.
func virtualisation() string {
	var list []string
	data, _ := os.ReadFile("/proc/cpuinfo")
	if parseCPU(string(data)).Virtual {
		list = append(list, strings.TrimSpace("vm "+word("/sys/class/dmi/id/sys_vendor")+" "+word("/sys/class/dmi/id/product_name")))
	}
	if kind := word("/sys/hypervisor/type"); kind != "" {
		list = append(list, kind)
	}
	switch {
	case exists("/.dockerenv"):
		list = append(list, "docker")
	case exists("/run/.containerenv"):
		list = append(list, "podman")
	case word("/run/systemd/container") != "":
		list = append(list, word("/run/systemd/container"))
	}
	if len(list) == 0 {
		return "none seen"
	}
	return strings.Join(list, ", ")
}
