package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// report collects runs and writes them.
type report struct {
	environment, command string
	runs                 []run
	raw                  bytes.Buffer
}

func (r *report) add(round int, x run) {
	r.runs = append(r.runs, x)
	line := fmt.Sprintf("round=%d store=%s per_commit=%d puts/s=%.0f user_us/put=%.2f sys_us/put=%.2f commit_p50_us=%.0f commit_p99_us=%.0f puts=%d\n",
		round+1, x.subject, x.per, x.perSecond, x.user, x.sys, x.p50, x.p99, x.puts)
	r.raw.WriteString(line)
	fmt.Fprint(os.Stderr, line)
}

// markdown returns the report, medians over the rounds.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Keeping messages on disk

    cd bench/peers && %s

%s

One put is a device (16 bytes), its sequence number (8), an id (16) and a
payload (128), durable when the call returns. Each store holds %d puts before
it is measured. CPU is this process's, by getrusage, and the main figure, since
other work ran on the machine; what the file system's own threads spend is not
in it. Puts a second and times of a commit depend on the disk and on what else
it did. Medians of the rounds, column by column, the stores taking turns; single
runs in raw.txt.

| puts per commit | store | CPU us/put | user | sys | x journal | puts/s | commit p50 us | p99 us |
|---|---|---|---|---|---|---|---|---|
`, r.command, r.environment, prefill)
	for _, p := range patterns {
		base := 0.0
		for _, s := range subjects {
			user, sys := r.median(s.name, p, func(x run) float64 { return x.user }), r.median(s.name, p, func(x run) float64 { return x.sys })
			all := r.median(s.name, p, func(x run) float64 { return x.user + x.sys })
			if base == 0 {
				base = all
			}
			fmt.Fprintf(&b, "| %d | %s | %.2f | %.2f | %.2f | %.1f | %.0f | %.0f | %.0f |\n", p, s.name, all, user, sys, all/base,
				r.median(s.name, p, func(x run) float64 { return x.perSecond }),
				r.median(s.name, p, func(x run) float64 { return x.p50 }), r.median(s.name, p, func(x run) float64 { return x.p99 }))
		}
	}
	b.WriteString(`
bbolt is with its default options; bbolt-tuned has NoFreelistSync and the map
of free pages. bbolt can look a put up afterwards, the journal cannot: its user
keeps an index in memory.
`)
	return b.String()
}

func (r *report) median(subject string, per int, of func(run) float64) float64 {
	var v []float64
	for _, x := range r.runs {
		if x.subject == subject && x.per == per {
			v = append(v, of(x))
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// write leaves report.md and raw.txt in dir.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "raw.txt"), append([]byte("# "+r.environment+"\n"), r.raw.Bytes()...), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.md"), []byte(r.markdown()), 0o644)
}

// environment says what was measured on.
func environment(dir string) string {
	var u syscall.Utsname
	_ = syscall.Uname(&u)
	release := make([]byte, 0, len(u.Release))
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		release = append(release, byte(c))
	}
	version, _, _ := strings.Cut(string(release), "-")
	load, _ := os.ReadFile("/proc/loadavg")
	load, _, _ = bytes.Cut(load, []byte(" "))
	return fmt.Sprintf("%s, %s, linux %s, %d CPUs, %s, load %s at the start.", time.Now().UTC().Format(time.DateOnly), runtime.Version(), version, runtime.NumCPU(), fileSystem(dir), load)
}

// fileSystem names the file system of dir by its magic number.
func fileSystem(dir string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err.Error()
	}
	switch st.Type {
	case 0xEF53:
		return "ext4"
	case 0x58465342:
		return "xfs"
	case 0x9123683E:
		return "btrfs"
	case 0x01021994:
		return "tmpfs (not a disk: the figures mean nothing)"
	}
	return fmt.Sprintf("file system %#x", st.Type)
}

// quantile returns the q-quantile of v, which it sorts.
func quantile(v []time.Duration, q float64) time.Duration {
	slices.Sort(v)
	return v[min(int(q*float64(len(v))), len(v)-1)]
}
