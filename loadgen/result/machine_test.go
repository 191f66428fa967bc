package result

import (
	"strings"
	"testing"
	"time"
)

// TestMachineMemoryCountsOnce: the kernel's slabs are the machine's, and each of
// several servers says the same; their own memory adds up.
func TestMachineMemoryCountsOnce(t *testing.T) {
	server := func(slope float64) Server {
		return Server{Source: "pid", Before: &ServerUse{RSS: 10 << 20, Slab: 1 << 20}, Slope: map[string]float64{"rss": slope, "slab": 8000, "sock": 0}}
	}
	use := ServerUse{RSS: 10<<20 + 50_000, Slab: 1<<20 + 8_000_000}
	r := &Result{Servers: []Server{server(100), server(140)},
		Phases: []Phase{{Name: "hold", Length: time.Second, Connected: 1000, Servers: []ServerUse{use, use}}}}
	for name, want := range map[string]float64{
		"server.user_b_per_conn":        240,
		"server.kernel_b_per_conn":      8000,
		"hold.server.user_b_per_conn":   100,
		"hold.server.kernel_b_per_conn": 8000,
	} {
		m, ok, why := r.Lookup(name)
		if !ok || m.Value != want {
			t.Errorf("%s is %v (%s), want %v", name, m.Value, why, want)
		}
	}
	r.Servers[0].Source, r.Servers[1].Source = "cgroup", "cgroup"
	if m, _, _ := r.Lookup("server.kernel_b_per_conn"); m.Value != 16000 {
		t.Errorf("of cgroups: %v, want their sum", m.Value)
	}
}

// TestMemoryOfARestartedServer is not compared with what another process had
// before: it is that of a phase before the restart, or not known.
func TestMemoryOfARestartedServer(t *testing.T) {
	use := func(rss int64, moved bool) []ServerUse { return []ServerUse{{RSS: rss, Moved: moved}} }
	r := &Result{Servers: []Server{{Source: "pid", Before: &ServerUse{RSS: 10_000}}}, Phases: []Phase{
		{Name: "hold", Connected: 100, Servers: use(60_000, false)}, {Name: "after", Connected: 100, Servers: use(20_000, true)}}}
	for name, want := range map[string]float64{"server.user_b_per_conn": 500, "hold.server.user_b_per_conn": 500} {
		if m, ok, why := r.Lookup(name); !ok || m.Value != want {
			t.Errorf("%s is %v (%s), want %v", name, m.Value, why, want)
		}
	}
	if m, ok, why := r.Lookup("after.server.user_b_per_conn"); ok || !strings.Contains(why, "restarted") {
		t.Errorf("after a restart it is %v (%s)", m.Value, why)
	}
}
