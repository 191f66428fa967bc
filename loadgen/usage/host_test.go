package usage

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParsePressure(t *testing.T) {
	p, err := parsePressure([]byte("some avg10=62.13 avg60=53.82 avg300=32.98 total=222091674\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=5\n"))
	if err != nil || p.Avg10 != 62.13 || p.Total != 222091674*time.Microsecond {
		t.Errorf("%+v, %v", p, err)
	}
	for _, s := range []string{"", "full avg10=1", "some avg10=x", "some total=1.5"} {
		if _, err := parsePressure([]byte(s)); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	if _, err := ReadPressure("cpu"); err != nil {
		t.Log(err) // a kernel without it
	}
}

func TestParseCPU(t *testing.T) {
	const info = "processor\t: 0\nmodel name\t: EPYC\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu hypervisor sse\n\n" +
		"processor\t: 1\nmodel name\t: EPYC\nphysical id\t: 0\ncore id\t\t: 1\n\n" +
		"processor\t: 2\nmodel name\t: EPYC\nphysical id\t: 1\ncore id\t\t: 0\n\n" +
		"processor\t: 3\nmodel name\t: EPYC\nphysical id\t: 1\ncore id\t\t: 0\n"
	if got, want := parseCPU(info), (CPU{"EPYC", 2, 3, true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := parseCPU(""); got != (CPU{}) {
		t.Errorf("nothing is %+v", got)
	}
}

func TestParseCgroup(t *testing.T) {
	const (
		mounts1 = `32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
39 31 0:36 /docker/x /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
		mounts2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	)
	for _, c := range []struct {
		name, groups, mounts string
		want                 Cgroup
	}{
		{"version 1", "8:pids:/docker/x/y\n4:memory:/api/1\n2:cpuacct:/\n1:cpu:/\n0::/\n", mounts1,
			Cgroup{1, "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/memory/api/1", "/sys/fs/cgroup/pids/y"}},
		{"version 1, joined", "4:cpu,cpuacct:/a\n", "32 31 0:29 / /c rw - cgroup cgroup rw,cpu,cpuacct\n", Cgroup{Version: 1, CPU: "/c/a", Account: "/c/a"}},
		{"outside of the view", "8:pids:/other\n", mounts1, Cgroup{Version: 1, PIDs: "/sys/fs/cgroup/pids"}},
		{"version 2", "0::/user.slice/x\n", mounts2, Cgroup{2, "/sys/fs/cgroup/user.slice/x", "/sys/fs/cgroup/user.slice/x", "/sys/fs/cgroup/user.slice/x", "/sys/fs/cgroup/user.slice/x"}},
		{"none", "", "", Cgroup{}},
	} {
		if got := parseCgroup(c.groups, c.mounts); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	c, err := FindCgroup(0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Throttled()
	t.Logf("%+v, throttled: %v", c, err)
}

// group makes a directory of files.
func group(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files["cgroup.procs"] = ""
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCgroupVersion2: the tightest limit on the way up counts.
func TestCgroupVersion2(t *testing.T) {
	top := group(t, t.TempDir(), map[string]string{"memory.max": "1000000", "memory.current": "900000", "cpu.max": "max 100000", "pids.max": "100", "pids.current": "90"})
	dir := group(t, filepath.Join(top, "a"), map[string]string{
		"cgroup.controllers": "cpu memory", "memory.max": "5000000", "memory.current": "10", "cpu.max": "150000 100000", "pids.max": "max", "pids.current": "2",
		"cpu.stat": "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_throttled 3\nthrottled_usec 7\n", "memory.stat": "anon 1\nslab 2\nsock 3\nkernel_stack 4\n",
	})
	c, err := OpenCgroup(dir)
	if err != nil {
		t.Fatal(err)
	}
	if limit, used, ok := c.MemoryLimit(); limit != 1000000 || used != 900000 || !ok {
		t.Errorf("memory %d of %d, %v", used, limit, ok)
	}
	if cores, ok := c.CPULimit(); cores != 1.5 || !ok {
		t.Errorf("%v cores, %v", cores, ok)
	}
	if left, ok := c.PIDLimit(); left != 10 || !ok {
		t.Errorf("%d pids, %v", left, ok)
	}
	if th, err := c.Throttled(); th != (Throttling{3, 7 * time.Microsecond}) || err != nil {
		t.Errorf("%+v, %v", th, err)
	}
	if sum, user, system, err := c.CPUTime(); sum != 30*time.Microsecond || user != 20*time.Microsecond || system != 10*time.Microsecond || err != nil {
		t.Errorf("%v %v %v %v", sum, user, system, err)
	}
	if m, err := c.MemoryStat(); m["slab"] != 2 || m["sock"] != 3 || err != nil {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := OpenCgroup(top); err == nil || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("without cgroup.controllers: %v", err)
	}
	if _, err := OpenCgroup(t.TempDir()); err == nil {
		t.Error("any directory is a cgroup")
	}
}

func TestCgroupVersion1(t *testing.T) {
	dir := group(t, t.TempDir(), map[string]string{"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": "5", "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000",
		"cpu.stat": "nr_throttled 2\nthrottled_time 9\n", "cpuacct.usage": "12345", "cpuacct.stat": "user 2\nsystem 1\n"})
	c := Cgroup{1, dir, dir, dir, dir}
	if _, _, ok := c.MemoryLimit(); ok {
		t.Error("a limit of memory")
	}
	if _, ok := c.CPULimit(); ok {
		t.Error("a limit of cores")
	}
	if _, ok := c.PIDLimit(); ok {
		t.Error("a limit of pids")
	}
	if th, err := c.Throttled(); th != (Throttling{2, 9}) || err != nil {
		t.Errorf("%+v, %v", th, err)
	}
	if sum, user, system, err := c.CPUTime(); sum != 12345 || user != 2*tick || system != tick || err != nil {
		t.Errorf("%v %v %v %v", sum, user, system, err)
	}
	if _, err := (Cgroup{}).Throttled(); err == nil {
		t.Error("no group was throttled")
	}
}

// TestHostFacts: in a fixed order, each once, and those that every Linux has.
func TestHostFacts(t *testing.T) {
	for name, list := range map[string][]Fact{"host": Host(), "sysctl": Sysctls(), "load": Load([]Busy{{"x", 1}})} {
		seen := map[string]bool{}
		for _, f := range list {
			if f.Name == "" || f.Value == "" || seen[f.Name] || strings.ContainsAny(f.Value, "\n\t") {
				t.Errorf("%s: %+v", name, f)
			}
			seen[f.Name] = true
		}
		want := map[string][]string{"host": {"cpu_threads", "memory_mib", "kernel", "nofile", "go"}, "sysctl": {"fs.file-max", "net.ipv4.tcp_mem"}, "load": {"loadavg", "process x"}}
		for _, w := range want[name] {
			if !seen[w] {
				t.Errorf("%s: no %s in %v", name, w, list)
			}
		}
	}
	if chosen("always [madvise] never") != "madvise" || chosen("") != "" {
		t.Error("not the one in brackets")
	}
}

// TestBusyProcesses: a process that spins is seen by its name, unless it is
// left out.
func TestBusyProcesses(t *testing.T) {
	cmd := exec.Command("sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	before := ReadProcesses()
	for end := time.Now().Add(30 * time.Second); ; {
		now := ReadProcesses()
		busy := now.Since(before, 1000)
		i := 0
		for i < len(busy) && busy[i].Name != "sh" {
			i++
		}
		if i < len(busy) {
			without := now.Since(before, 1000, Process(cmd.Process.Pid))
			for _, b := range without {
				if b.Name == "sh" && b.Cores >= busy[i].Cores {
					t.Errorf("it was not left out: %v, %v", busy[i], b)
				}
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it was not seen: %v", busy)
		}
	}
	if busy := before.Since(before, 5); busy != nil {
		t.Errorf("in no time: %v", busy)
	}
}

func TestParseProcess(t *testing.T) {
	name, cpu, ok := parseProcess([]byte("12 (a) b (c)) S 1 1 1 0 -1 4194560 1 2 3 4 70 30 5 6 20 0"))
	if name != "a) b (c)" || cpu != time.Second || !ok {
		t.Errorf("%q %v %v", name, cpu, ok)
	}
	for _, s := range []string{"", "1 (x", "1 (x) S 1", ") ("} {
		if _, _, ok := parseProcess([]byte(s)); ok {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestStatus(t *testing.T) {
	s, err := Process(0).Status()
	if err != nil || s.RSS < 1<<20 || s.PeakRSS < s.RSS || s.Threads < 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Process(1 << 30).Status(); err == nil {
		t.Error("a process that does not exist has a status")
	}
}

func TestMeminfo(t *testing.T) {
	m := parseMeminfo("MemTotal:       24684000 kB\nHugePages_Total:       0\nBroken: x kB\n")
	if len(m) != 1 || m["MemTotal"] != 24684000<<10 {
		t.Errorf("%v", m)
	}
	if m, err := Meminfo(); err != nil || m["MemFree"] <= 0 {
		t.Errorf("%v, %v", m, err)
	}
}
