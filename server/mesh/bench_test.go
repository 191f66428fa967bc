package mesh

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/inbox"
	"roost/server/presence"
	"roost/server/testredis"
)

// prompt is a Local that has every device and does everything at once.
type prompt struct{ Local }

func (prompt) Live(_ []byte, _ *Message, answer func(Status)) { answer(StatusWritten) }
func (prompt) Sweep(bool)                                     {}
func (prompt) Noticed(_ *inbox.Notice, _ time.Duration, answer func(Status)) {
	if answer != nil {
		answer(StatusAcknowledged)
	}
}

// nobody is presence that is not asked.
type nobody struct{}

func (nobody) Get(context.Context, ...string) ([]presence.Where, error) { return nil, presence.ErrDown }

// pair is two nodes on a Redis; the device is n2's.
func pair(b *testing.B, s *testredis.Server) (m *Mesh, device string) {
	r := &rig{t: b}
	r.members("n1", "n2")
	r.active(&cluster.Active{Routes: ring.NewRoutes(r.ring(1, "n1", "n2"), nil, 0), Pointer: cluster.Pointer{Stable: 1, Activation: 10}})
	var both []*Mesh
	for _, id := range []string{"n1", "n2"} {
		m, err := New(Options{Self: id, Rings: &r.holder, Members: &r.holder, Where: nobody{}, Local: prompt{},
			Bus: func(o fanout.Options) (fanout.Bus, error) {
				return fanout.NewRedis(fanout.RedisOptions{Options: o, Addrs: []string{s.Addr()}})
			}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(m.Close)
		both = append(both, m)
	}
	testredis.Await(b, "both are up", func() bool { return both[0].State().Up && both[1].State().Up })
	r.nodes = []*node{{m: both[0]}}
	return both[0], r.device("n2")
}

// payload is 128 bytes, as that of server/fanout's benchmarks.
func payload() *Message { return &Message{Payload: []byte(`{"p":"` + strings.Repeat("x", 120) + `"}`)} }

// BenchmarkLive asks one after the other: a live message to a device at the other node, until its answer
// is here.
func BenchmarkLive(b *testing.B) {
	m, device := pair(b, testredis.Start(b))
	msg := payload()
	var took []time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		began := time.Now()
		if s, err := m.Live(b.Context(), device, msg); s != StatusWritten || err != nil {
			b.Fatal(s, err)
		}
		took = append(took, time.Since(began))
	}
	percentiles(b, took)
}

// BenchmarkNotice is the same for a notice that is acknowledged.
func BenchmarkNotice(b *testing.B) {
	m, device := pair(b, testredis.Start(b))
	n := &inbox.Notice{Device: []byte(device), Epoch: []byte("k9"), Fence: 3, Seq: 9, Tag: 77}
	answer := make(chan Status, 1)
	var took []time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		began := time.Now()
		m.Notice("n2:7", n, time.Second, func(s Status) { answer <- s })
		if s := <-answer; s != StatusAcknowledged {
			b.Fatal(s)
		}
		took = append(took, time.Since(began))
	}
	percentiles(b, took)
}

// BenchmarkRate sends at a steady rate, open loop, in bursts of some, and charges to a message: from when it was due until its
// answer, the CPU of both nodes, which are in this process with the pacing, and that of Redis. What of the time is the
// pacing's own, which wakes up late, is said beside it.
func BenchmarkRate(b *testing.B) {
	for _, what := range []string{"live", "notice"} {
		for _, c := range []struct{ rate, burst int }{{1000, 1}, {5000, 50}} {
			b.Run(fmt.Sprintf("%s/rate=%d/burst=%d", what, c.rate, c.burst), func(b *testing.B) { benchmarkRate(b, what, c.rate, c.burst) })
		}
	}
}

func benchmarkRate(b *testing.B, what string, rate, burst int) {
	s := testredis.Start(b)
	m, device := pair(b, s)
	msg, n := payload(), &inbox.Notice{Device: []byte(device), Epoch: []byte("k9"), Fence: 3, Seq: 9, Tag: 77}
	took := make([]time.Duration, b.N)
	var bad atomic.Int64
	var all sync.WaitGroup
	send := func(i int, due time.Time) {
		done := func(s Status) {
			if s != StatusWritten && s != StatusAcknowledged {
				bad.Add(1)
			}
			took[i] = time.Since(due)
			all.Done()
		}
		if what == "notice" {
			m.Notice("n2:7", n, time.Second, done)
			return
		}
		go func() {
			s, _ := m.Live(context.Background(), device, msg)
			done(s)
		}()
	}
	b.ReportAllocs()
	b.ResetTimer()
	ours, redis, start := cpu(), redisCPU(b, s), time.Now()
	all.Add(b.N)
	var lags []time.Duration
	for i := 0; i < b.N; i += burst {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		lags = append(lags, time.Since(due))
		for j := range min(burst, b.N-i) {
			send(i+j, due)
		}
	}
	all.Wait()
	b.StopTimer()
	if bad.Load() > 0 {
		b.Fatalf("%d of %d were not delivered", bad.Load(), b.N)
	}
	b.ReportMetric(float64((cpu()-ours).Microseconds())/float64(b.N), "cpu-us/msg")
	b.ReportMetric((redisCPU(b, s)-redis)*1e6/float64(b.N), "redis-cpu-us/msg")
	percentiles(b, took)
	slices.Sort(lags)
	b.ReportMetric(float64(lags[len(lags)/2].Microseconds()), "pace-p50-us")
	b.ReportMetric(float64(lags[(len(lags)-1)*99/100].Microseconds()), "pace-p99-us")
}

func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(p float64) float64 { return float64(took[int(p*float64(len(took)-1))].Microseconds()) }
	b.ReportMetric(at(0.5), "p50-us")
	b.ReportMetric(at(0.99), "p99-us")
}

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// redisCPU is what the server has used, in seconds.
func redisCPU(b *testing.B, s *testredis.Server) (sum float64) {
	for line := range strings.Lines(s.Text("INFO", "cpu")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			sum += v
		}
	}
	return sum
}

// BenchmarkOwner is a lookup with all that is said of the node.
func BenchmarkOwner(b *testing.B) {
	r := &rig{t: b}
	r.members("n1", "n2", "n3")
	r.active(&cluster.Active{Routes: ring.NewRoutes(r.ring(1, "n1", "n2", "n3"), nil, 0), Pointer: cluster.Pointer{Stable: 1, Activation: 10}})
	m := &Mesh{o: Options{Self: "n1", Rings: &r.holder, Members: &r.holder}}
	d := []byte("dev-12345")
	b.ReportAllocs()
	for b.Loop() {
		m.Owner(d)
	}
}
