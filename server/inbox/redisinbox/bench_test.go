package redisinbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roost/server/inbox"
	"roost/server/testredis"
)

// BenchmarkPut stores messages of 128 bytes for 1,000 connected devices, each of which
// has acknowledged all before. An operation is one message; with batch=50 a request has
// 50 of them, with publishers=64 as many requests wait at once. p50 and p99 are of
// requests, redis-us is the CPU of Redis a message.
func BenchmarkPut(b *testing.B) {
	for _, disk := range []struct {
		name string
		args []string
	}{
		{"memory", nil},
		{"everysec", []string{"--appendonly", "yes", "--appendfsync", "everysec"}},
		{"always", []string{"--appendonly", "yes", "--appendfsync", "always"}},
	} {
		for _, load := range []struct{ publishers, batch int }{{1, 1}, {64, 1}, {1, 50}, {8, 50}} {
			b.Run(fmt.Sprintf("disk=%s/publishers=%d/batch=%d", disk.name, load.publishers, load.batch), func(b *testing.B) {
				benchPut(b, testredis.Start(b, disk.args...), load.publishers, load.batch)
			})
		}
	}
}

func benchPut(b *testing.B, server *testredis.Server, publishers, batch int) {
	devices := min(1000, b.N) // once (make test) is not worth a thousand connects
	n := start(b, server, nil)
	sessions := make([]inbox.Opened, devices)
	for i := range sessions {
		sessions[i] = n.open(fmt.Sprint("device-", i))
	}
	payload := []byte(fmt.Sprintf("%0128d", 0))
	times := make([][]time.Duration, publishers)
	var next, failed atomic.Int64
	cpu := cpuOf(b, server)
	b.ResetTimer()
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			done := make(chan struct{}, 1)
			for {
				from := next.Add(int64(batch)) - int64(batch)
				if from >= int64(b.N) {
					return
				}
				k := min(batch, b.N-int(from))
				ops := make([]inbox.Op, k)
				for i := range ops {
					at := (int(from) + i) % devices
					ops[i] = &inbox.Put{Device: fmt.Sprint("device-", at), Message: &inbox.Message{TTL: 600,
						ID: fmt.Appendf(nil, "%016d", int(from)+i), Payload: payload}}
				}
				began := time.Now()
				n.Commit(&inbox.Commit{Ops: ops, Done: func(c *inbox.Commit) {
					if c.Err != nil {
						failed.Add(1)
					}
					done <- struct{}{}
				}})
				<-done
				times[p] = append(times[p], time.Since(began))
				for _, op := range ops {
					put := op.(*inbox.Put)
					n.Ack(put.Ref, put.Fence, put.Seq)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	if failed.Load() > 0 {
		b.Fatalf("%d requests failed", failed.Load())
	}
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
	b.ReportMetric((cpuOf(b, server)-cpu)*1e6/float64(b.N), "redis-us")
}

// cpuOf returns the CPU seconds that Redis has used.
func cpuOf(tb testing.TB, server *testredis.Server) (sum float64) {
	info := server.Text("INFO", "cpu")
	for _, field := range []string{"used_cpu_sys:", "used_cpu_user:"} {
		_, rest, _ := strings.Cut(info, field)
		var v float64
		if _, err := fmt.Sscan(rest, &v); err != nil {
			tb.Fatal(err)
		}
		sum += v
	}
	return sum
}

// BenchmarkOpen begins sessions of known devices, one after the other: what a connect
// waits for.
func BenchmarkOpen(b *testing.B) {
	n := start(b, testredis.Start(b), nil)
	for i := range 100 {
		n.open(fmt.Sprint("device-", i))
	}
	for i := 0; b.Loop(); i++ {
		n.open(fmt.Sprint("device-", i%100))
	}
}

// BenchmarkFetch reads 32 messages of 128 bytes, one device after the other.
func BenchmarkFetch(b *testing.B) {
	n := start(b, testredis.Start(b), nil)
	o := n.open("d")
	payload := fmt.Sprintf("%0128d", 0)
	var ops []inbox.Op
	for range 32 {
		ops = append(ops, message("d", "", payload, 3600))
	}
	if err := n.do(ops...); err != nil {
		b.Fatal(err)
	}
	f := inbox.Fetch{Ref: o.Ref, Fence: o.Fence, Max: 32, Bytes: 64 << 10}
	for b.Loop() {
		f.From = 1
		if n.Fetch(&f); len(f.Items) != 32 {
			b.Fatalf("%+v", f)
		}
	}
}

// BenchmarkSpread gives one message to 10,000 devices; an operation is one of them.
func BenchmarkSpread(b *testing.B) {
	n := start(b, testredis.Start(b), nil)
	devices := min(10_000, b.N)
	for i := range devices {
		o := n.open(fmt.Sprint("device-", i))
		n.Leave(o.Ref, o.Fence)
	}
	b.ResetTimer()
	for i := 0; i < b.N; i += devices {
		if err := n.do(spread("", "", "x")); err != nil {
			b.Fatal(err)
		}
	}
}
