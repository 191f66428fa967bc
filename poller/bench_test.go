package poller

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkEcho is one round trip: a write, a turn of the loop with read and
// write, a read, over loopback, by one client that waits.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{32, 1024} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			p := start(b, Options{}, echo(all))
			client := dialRaw(b, p, 0)
			defer client.close()
			msg, back := make([]byte, size), make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				client.Write(msg)
				for n := 0; n < size; {
					m, err := client.Read(back[n:])
					if err != nil {
						b.Fatal(err)
					}
					n += m
				}
			}
		})
	}
}

// BenchmarkCast is one cast of 132 bytes, from Post to Done; reading it back is
// charged too, by bare system calls on the benchmark's goroutine.
func BenchmarkCast(b *testing.B) {
	for _, path := range []struct {
		name string
		mode IOUringMode
	}{{"uring", IOUringAuto}, {"sendto", IOUringOff}} {
		b.Run(fmt.Sprintf("conns=1k/%s", path.name), func(b *testing.B) {
			h := newCaster()
			p := start(b, Options{IOUring: path.mode}, h.script())
			if path.mode == IOUringAuto && !p.Uring().OK {
				b.Skipf("io_uring is not available: %s", p.Uring().Why)
			}
			l := p.Loops()[0]
			var clients []*rawClient
			for range 1000 {
				c, _ := h.connect(b, p, 0, 1, false)
				defer c.close()
				clients = append(clients, c)
			}
			done := make(chan CastResult, 1)
			f := variants(1, 132, 1)
			back := make([]byte, 4096)
			task := TaskFunc(func(l *Loop) {
				l.Cast(Cast{Frames: f, Done: func(r CastResult) { done <- r }})
			})
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				l.Post(task)
				if r := <-done; r.Written != len(clients) {
					b.Fatalf("%+v", r)
				}
				for _, c := range clients {
					if c.readNowInto(back) != 132 {
						b.Fatal("not a frame")
					}
				}
			}
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N)/float64(len(clients)), "cpu-ns/receiver")
		})
	}
}

// cpuTime returns the process's processor time in nanoseconds.
func cpuTime(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

type nothing struct{}

func (nothing) Run(*Loop) {}

// BenchmarkPost is a post that finds the loop awake (one poster, as fast as it
// can), and one that has to wake it and waits for the answer.
func BenchmarkPost(b *testing.B) {
	b.Run("stream", func(b *testing.B) {
		p := start(b, Options{}, &script{})
		l := p.Loops()[0]
		b.ReportAllocs()
		for b.Loop() {
			for !l.Post(nothing{}) {
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		p := start(b, Options{}, &script{})
		l := p.Loops()[0]
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				for !l.Post(nothing{}) {
				}
			}
		})
	})
	b.Run("roundtrip", func(b *testing.B) {
		p := start(b, Options{}, &script{})
		l := p.Loops()[0]
		ran := make(chan struct{}, 1)
		task := TaskFunc(func(*Loop) { ran <- struct{}{} })
		b.ReportAllocs()
		for b.Loop() {
			l.Post(task)
			<-ran
		}
	})
}

// BenchmarkWheel is what an idle connection's heartbeat deadline costs.
func BenchmarkWheel(b *testing.B) {
	var w wheel
	b.ReportAllocs()
	slot, now := uint32(0), uint32(0)
	for b.Loop() {
		w.set(slot%100000, now+440)
		if slot++; slot%1000 == 0 {
			now++
			w.advance(now, func(uint32) {})
		}
	}
}

// BenchmarkRead is a send of 128 bytes over loopback and the read of them, with
// and without the kernel's time of arrival.
func BenchmarkRead(b *testing.B) {
	for _, stamps := range []bool{false, true} {
		b.Run(fmt.Sprintf("stamps=%v", stamps), func(b *testing.B) {
			far, near, l := stamped(b, DialOptions{Stamps: stamps}, nil)
			msg := make([]byte, 128)
			do(b, l, func(l *Loop) {
				to, from := far.get(), near.get()
				b.ReportAllocs()
				for b.Loop() {
					sysSend(int(to.fd), msg)
					if _, n, _, errno := l.read(from); n != len(msg) {
						b.Errorf("read %d bytes: %v", n, errno)
						return
					}
				}
			})
		})
	}
}
