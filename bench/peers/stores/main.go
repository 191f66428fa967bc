// Command stores measures what it costs to keep messages on a real disk: puts
// of (device, id, payload) that are durable when the call returns, alone and in
// batches, into roost's journal and into bbolt, side by side.
//
//	go run ./stores -dir DIR -out DIR
//
// The stores take turns in every round. CPU is that of this process (getrusage);
// what the kernel does in threads of its own is in none of the figures.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const (
	idLen      = 16
	payloadLen = 128
	devices    = 20_000
	prefill    = 200_000 // puts before anything is measured: a store that has been in use
	prefillPer = 5_000
)

// patterns are how many puts share a commit.
var patterns = []int{1, 10, 50, 100, 500}

// put is one message to keep.
type put struct {
	device, id [idLen]byte
	seq        uint64 // of the device
	payload    [payloadLen]byte
}

// store keeps puts; commit returns when they are durable.
type store interface {
	commit(puts []put) error
	close() error
}

// subject is a store by name.
type subject struct {
	name string
	open func(dir string) (store, error)
}

var subjects = []subject{
	{"journal", openJournal},
	{"bbolt", openBolt},
	{"bbolt-tuned", openBoltTuned},
}

// source has puts of all devices in random order, made before anything is
// measured. They come round and round, with sequence numbers that rise.
type source struct {
	puts []put
	at   int
	turn uint64
}

func newSource() *source {
	rng := rand.New(rand.NewPCG(1, 2))
	s := &source{puts: make([]put, devices)}
	for i, d := range rng.Perm(devices) {
		p := &s.puts[i]
		copy(p.device[:], fmt.Appendf(nil, "device-%09d", d))
		fillRandom(rng, p.id[:])
		fillRandom(rng, p.payload[:])
	}
	return s
}

func (s *source) next(n int) []put {
	if s.at+n > len(s.puts) {
		s.at = 0
		s.turn++
	}
	puts := s.puts[s.at : s.at+n]
	s.at += n
	for i := range puts {
		puts[i].seq = s.turn
	}
	return puts
}

func fillRandom(rng *rand.Rand, b []byte) {
	for i := 0; i+8 <= len(b); i += 8 {
		v := rng.Uint64()
		for k := range 8 {
			b[i+k] = byte(v >> (8 * k))
		}
	}
}

// run is the result of one pattern in one round.
type run struct {
	subject   string
	per       int
	puts      int
	perSecond float64 // puts
	user, sys float64 // us per put
	p50, p99  float64 // us per commit
}

func main() {
	dir := flag.String("dir", ".", "where the stores are made: a directory on the disk to be measured")
	out := flag.String("out", "", "directory for raw.txt and report.md; none: print only")
	rounds := flag.Int("rounds", 3, "how many rounds")
	length := flag.Duration("for", 2*time.Second, "how long each pattern runs on each store in a round")
	flag.Parse()
	log.SetFlags(0)
	work, err := os.MkdirTemp(*dir, "stores-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(work)
	rep := &report{environment: environment(work), command: fmt.Sprintf("go run ./stores -rounds %d -for %v", *rounds, *length)}
	if err := measureAll(rep, work, *rounds, *length); err != nil {
		os.RemoveAll(work)
		log.Fatal(err)
	}
	fmt.Print(rep.markdown())
	if *out != "" {
		if err := rep.write(*out); err != nil {
			log.Fatal(err)
		}
	}
}

func measureAll(rep *report, work string, rounds int, length time.Duration) error {
	for round := range rounds {
		for i := range subjects {
			s := subjects[(i+round)%len(subjects)] // nobody is always first
			dir := filepath.Join(work, fmt.Sprintf("%s-%d", s.name, round))
			if err := measure(rep, s, dir, round, length); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure opens a store, fills it and runs all patterns on it.
func measure(rep *report, s subject, dir string, round int, length time.Duration) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	st, err := s.open(dir)
	if err != nil {
		return err
	}
	src := newSource()
	for range prefill / prefillPer {
		if err := st.commit(src.next(prefillPer)); err != nil {
			return err
		}
	}
	for _, p := range patterns {
		runtime.GC()
		r, err := one(st, src, p, length)
		if err != nil {
			return err
		}
		r.subject = s.name
		rep.add(round, r)
	}
	return st.close()
}

func one(st store, src *source, per int, length time.Duration) (run, error) {
	took := make([]time.Duration, 0, 1<<16)
	before, began := usage(), time.Now()
	for end := began; end.Sub(began) < length; {
		start := end
		if err := st.commit(src.next(per)); err != nil {
			return run{}, err
		}
		end = time.Now()
		took = append(took, end.Sub(start))
	}
	total, after := time.Since(began), usage()
	puts := per * len(took)
	n := float64(puts)
	return run{
		per: per, puts: puts, perSecond: n / total.Seconds(),
		user: us(after.user-before.user) / n, sys: us(after.sys-before.sys) / n,
		p50: us(quantile(took, 0.5)), p99: us(quantile(took, 0.99)),
	}, nil
}

type cpu struct{ user, sys time.Duration }

func usage() cpu {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return cpu{time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano())}
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
