package fanout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"roost/server/testredis"
)

// pair is two nodes on a bus.
func pair(b *testing.B, bus func(Options) (Bus, error), handle func([]Envelope)) (from, to Bus) {
	b.Helper()
	from, err := bus(Options{Node: "n1"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(from.Close)
	to, err = bus(Options{Node: "n2", Handlers: Handlers{Inbox: handle}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(to.Close)
	testredis.Await(b, "both are up", func() bool { return from.State().Up && to.State().Up })
	return from, to
}

// message is like those that the server forwards, with 128 bytes of payload.
func message() *Envelope {
	e := full()
	e.Origin, e.Payload = nil, []byte(`{"p":"`+strings.Repeat("x", 120)+`"}`)
	return e
}

func BenchmarkAppend(b *testing.B) {
	e, buf := message(), make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = e.Append(buf[:0])
	}
	b.ReportMetric(float64(len(buf)), "bytes/msg")
}

func BenchmarkDecode(b *testing.B) {
	buf, _ := message().Append(nil)
	var e Envelope
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPost sends from node to node as fast as it goes, with at most 1,024 under way.
func BenchmarkPost(b *testing.B) {
	each(b, func(b *testing.B, bus func(Options) (Bus, error), _ *testredis.Server) {
		arrived := make(chan struct{}, 1<<20)
		from, _ := pair(b, bus, func(batch []Envelope) {
			for range batch {
				arrived <- struct{}{}
			}
		})
		e, under := message(), make(chan struct{}, 1024)
		b.ReportAllocs()
		b.ResetTimer()
		go func() {
			for range b.N {
				under <- struct{}{}
				from.Post(ToNode("n2"), e, nil)
			}
		}()
		for range b.N {
			<-arrived
			<-under
		}
	})
}

// BenchmarkRoundTrip asks another node one thing after the other, as a publish that is
// forwarded and answered.
func BenchmarkRoundTrip(b *testing.B) {
	each(b, func(b *testing.B, bus func(Options) (Bus, error), _ *testredis.Server) {
		table := NewRequests()
		var to Bus
		from, err := bus(Options{Node: "n1", Handlers: Handlers{Replies: table.Take}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(from.Close)
		to, err = bus(Options{Node: "n2", Handlers: Handlers{Inbox: func(batch []Envelope) {
			for i := range batch {
				r := AppendResult(nil, Result{ID: batch[i].ID, Status: 1})
				to.Post(ToNode("n1"), &Envelope{Kind: KindResult, Payload: r}, nil)
			}
		}}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(to.Close)
		testredis.Await(b, "both are up", func() bool { return from.State().Up && to.State().Up })
		e := message()
		var took []time.Duration
		b.ResetTimer()
		for b.Loop() {
			began := time.Now()
			q, err := table.Open(1)
			if err != nil {
				b.Fatal(err)
			}
			e.ID, e.Part = q.ID(), 0
			from.Post(ToNode("n2"), e, nil)
			if _, all := q.Await(b.Context()); !all {
				b.Fatal("no answer")
			}
			took = append(took, time.Since(began))
		}
		percentiles(b, took)
	})
}

// BenchmarkRate sends at a steady rate, open loop, and charges to a message: the CPU of both nodes, which are in
// this process with the pacing, and that of Redis; the time from its due time to its handler.
func BenchmarkRate(b *testing.B) {
	each(b, func(b *testing.B, bus func(Options) (Bus, error), s *testredis.Server) {
		for _, rate := range []int{1000, 5000} {
			b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) { benchmarkRate(b, bus, s, rate) })
		}
	})
}

func benchmarkRate(b *testing.B, bus func(Options) (Bus, error), s *testredis.Server, rate int) {
	var mu sync.Mutex
	var took []time.Duration
	begin := time.Now()
	from, _ := pair(b, bus, func(batch []Envelope) {
		now := time.Since(begin)
		mu.Lock()
		defer mu.Unlock()
		for i := range batch {
			took = append(took, now-time.Duration(batch[i].Seq))
		}
	})
	e := message()
	b.ReportAllocs()
	b.ResetTimer()
	ours, redis := cpu(), redisCPU(b, s)
	start := time.Since(begin)
	for i := range b.N {
		due := start + time.Duration(i)*time.Second/time.Duration(rate)
		time.Sleep(due - time.Since(begin))
		e.Seq = uint64(due)
		from.Post(ToNode("n2"), e, nil)
	}
	testredis.Await(b, "all have arrived", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(took) == b.N
	})
	b.StopTimer()
	b.ReportMetric(float64((cpu()-ours).Microseconds())/float64(b.N), "cpu-us/msg")
	if s != nil {
		b.ReportMetric((redisCPU(b, s)-redis)*1e6/float64(b.N), "redis-cpu-us/msg")
	}
	percentiles(b, took)
}

// each runs f on Memory and on a Redis.
func each(b *testing.B, f func(b *testing.B, bus func(Options) (Bus, error), s *testredis.Server)) {
	b.Run("memory", func(b *testing.B) {
		var h Hub
		f(b, func(o Options) (Bus, error) { return h.Bus(o) }, nil)
	})
	b.Run("redis", func(b *testing.B) {
		s := testredis.Start(b)
		f(b, func(o Options) (Bus, error) { return NewRedis(RedisOptions{Options: o, Addrs: []string{s.Addr()}}) }, s)
	})
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
	if s == nil {
		return 0
	}
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
