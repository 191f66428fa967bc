package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"roost/bench/ringpeers/internal/timing"
)

// environment says where the run is; what cannot be found out is "unknown".
func environment(ctx context.Context, began time.Time) Env {
	e := Env{
		Began: began.UTC().Truncate(time.Second), CPU: cpuModel(), Caches: caches(), Kernel: kernel(),
		Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, GOAMD64: "unknown", Commit: commit(ctx), LoadBegan: load(),
	}
	if cores, err := timing.Cores(); err == nil {
		e.Cores = len(cores)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GOAMD64" {
				e.GOAMD64 = s.Value
			}
		}
	}
	return e
}

const unknown = "unknown"

func cpuModel() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			family := ""
			for _, key := range []string{"cpu family", "model\t", "stepping"} {
				family += "-" + cpuField(string(data), key)
			}
			return strings.TrimSpace(value) + " (family-model-stepping " + strings.TrimPrefix(family, "-") + ")"
		}
	}
	return unknown
}

func cpuField(info, key string) string {
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, key) {
			_, value, _ := strings.Cut(line, ":")
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// caches lists the first core's caches of data.
func caches() string {
	var all []string
	for i := range 4 {
		base := fmt.Sprintf("/sys/devices/system/cpu/cpu0/cache/index%d", i)
		level, err := os.ReadFile(filepath.Join(base, "level"))
		kind, _ := os.ReadFile(filepath.Join(base, "type"))
		size, _ := os.ReadFile(filepath.Join(base, "size"))
		if err == nil && !bytes.HasPrefix(kind, []byte("Instruction")) {
			all = append(all, fmt.Sprintf("L%s %s", bytes.TrimSpace(level), bytes.TrimSpace(size)))
		}
	}
	if len(all) == 0 {
		return unknown
	}
	return strings.Join(all, ", ")
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return unknown
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// commit returns the commit of the folder that the run begins in, and whether
// the ring or the bench differ from it.
func commit(ctx context.Context) string {
	hash, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return unknown
	}
	text := strings.TrimSpace(string(hash))
	top, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return text
	}
	status := exec.CommandContext(ctx, "git", "status", "--porcelain", "--", "ring/*.go", "bench/ringpeers")
	status.Dir = strings.TrimSpace(string(top))
	if changed, err := status.Output(); err == nil && len(bytes.TrimSpace(changed)) > 0 {
		text += " with changes"
	}
	return text
}

func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return unknown
	}
	return strings.Join(strings.Fields(string(data))[:3], " ")
}
