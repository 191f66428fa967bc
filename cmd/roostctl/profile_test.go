package main

import (
	"bytes"
	"context"
	"hash/crc32"
	"hash/maphash"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"roost/ring"
	"roost/ring/verify"
	"roost/server"
	"roost/server/inbox"

	"github.com/google/pprof/profile"
)

// synthetic makes a profile of stacks, innermost first; names joined by + are put
// into one another by the compiler, the innermost first.
func synthetic(stacks map[string]int64) *profile.Profile {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		Period:     1e7, DurationNanos: 2e9,
	}
	function := map[string]*profile.Function{}
	for stack, n := range stacks {
		s := &profile.Sample{Value: []int64{n, n * 1e7}}
		for _, frame := range strings.Fields(stack) {
			at := &profile.Location{ID: uint64(len(p.Location) + 1)}
			for _, name := range strings.Split(frame, "+") {
				if function[name] == nil {
					function[name] = &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
					p.Function = append(p.Function, function[name])
				}
				at.Line = append(at.Line, profile.Line{Function: function[name]})
			}
			p.Location = append(p.Location, at)
			s.Location = append(s.Location, at)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func packed(t testing.TB, p *profile.Profile) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestProfileGolden: inlined frames, callees and the three kinds are told apart.
func TestProfileGolden(t *testing.T) {
	testdata := inTemp(t)
	for name, stacks := range map[string]map[string]int64{
		"profile.txt": {
			"runtime.epollwait roost/poller.run":                                      700,
			"roost/ring.hash16+roost/ring.(*Ring).Lookup+roost/server.route main.run": 40,
			"roost/ring.(*Routes).Owner roost/server.route":                           20,
			"github.com/zeebo/xxh3.Hash roost/ring.Hash roost/ring.Build":             15,
			"aeshashbody runtime.strhash runtime.mapaccess":                           30,
			"hash/crc32.update roost/server/inbox/journal.write":                      25,
			"roost/ring.(*Ring).Apply roost/server.change":                            170,
		},
		"profile-bad.txt":  {"roost/ring.SeedHash main.run": 16, "main.run": 84},
		"profile-idle.txt": {"main.run": 900, "runtime.strhash runtime.mapaccess": 30},
		"profile-few.txt":  {"roost/ring.Hash main.run": 50, "main.run": 49},
	} {
		if err := os.WriteFile("cpu.pprof", packed(t, synthetic(stacks)), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := call(t, "ring profile cpu.pprof", "")
		if want := map[string]int{"profile-bad.txt": 1, "profile-few.txt": 2, "profile-idle.txt": 2}[name]; exitCode(err, io.Discard) != want {
			t.Errorf("%s: %v", name, err)
		}
		golden(t, testdata, name, out)
	}
}

// TestProfileLimits: 8 % is healthy, more is not, above 15 % is bad.
func TestProfileLimits(t *testing.T) {
	for share, want := range map[int64]verify.Verdict{1: verify.OK, 800: verify.OK, 801: verify.Look, 1500: verify.Look, 1501: verify.Bad, 10000: verify.Bad} {
		h, err := measureHashing(synthetic(map[string]int64{"roost/ring.HashBytes a": share, "b": 10000 - share}))
		if err != nil || h.Verdict != want || h.Rows[0].Verdict != want {
			t.Errorf("%d of 10,000: %+v, %v", share, h, err)
		}
		// The same of maps is no fault of the ring.
		h, err = measureHashing(synthetic(map[string]int64{"hash/maphash.String a": share - 1, "roost/ring.Hash a": 1, "b": 10000 - share}))
		if err != nil || h.Verdict != want || h.Rows[0].Verdict != verify.OK {
			t.Errorf("%d of 10,000 for maps: %+v, %v", share, h, err)
		}
	}
	// Without a sample of the ring's there is nothing to say, unless the rest is bad.
	for share, want := range map[int64]verify.Verdict{0: verify.Info, 800: verify.Info, 801: verify.Look, 1501: verify.Bad} {
		h, err := measureHashing(synthetic(map[string]int64{"hash/maphash.String a": share, "b": 10000 - share}))
		if err != nil || h.Verdict != want || h.Rows[0].Verdict != verify.Info || len(h.Notes) == 0 {
			t.Errorf("%d of 10,000 without the ring: %+v, %v", share, h, err)
		}
	}
	h, err := measureHashing(synthetic(nil))
	if err != nil || h.Verdict != verify.Info || len(h.Notes) != 1 {
		t.Errorf("empty: %+v, %v", h, err)
	}
}

// burn does work until the process has used some more CPU time: a profile then has
// as many samples on a slow machine as on a fast one.
func burn(t testing.TB, d time.Duration, work func()) {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for end := used() + d; used() < end; {
		for range 10_000 {
			work()
		}
	}
}

var sink uint64

// TestRealProfile: the names are those that the Go runtime writes.
func TestRealProfile(t *testing.T) {
	r, err := ring.Build(1, []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 1}}, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seed := maphash.MakeSeed()
	long := strings.Repeat("x", 2000)
	id, text := []byte("device-000000001"), []byte(long)
	for kind, work := range []func(){
		func() {
			for i := range 20 {
				id[15] = byte(i)
				sink += uint64(r.LookupBytes(id)) + ring.Hash(long)
			}
		},
		func() { sink += maphash.String(seed, long) },
		func() { sink += uint64(crc32.ChecksumIEEE(text)) },
	} {
		if testing.Short() && kind > 0 {
			t.Skip("each kind takes a second")
		}
		var b bytes.Buffer
		if err := pprof.StartCPUProfile(&b); err != nil {
			t.Skip("another profile is being taken")
		}
		burn(t, 600*time.Millisecond, work)
		pprof.StopCPUProfile()
		h, err := hashingOf(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if h.Samples < 20 {
			t.Skipf("%d samples: the machine gives no profile", h.Samples)
		}
		if h.Rows[kind].Share < 0.15 || // much goes to the race detector
			h.All.Share < h.Rows[kind].Share {
			t.Errorf("%s: %+v", h.Rows[kind].Name, h)
		}
	}
}

// TestNode takes a profile of a node by its API.
func TestNode(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a second")
	}
	srv, err := server.New(server.Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Auth: "none", Loops: 1, Inbox: inbox.NewMemory(inbox.Limits{}, nil), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for long := strings.Repeat("x", 1000); ; {
			select {
			case <-stop:
				return
			default:
				for range 1000 {
					sink += ring.Hash(long)
				}
			}
		}
	}()
	out, err := call(t, "ring profile --seconds 1 --url http://"+srv.APIAddr().String(), "")
	close(stop)
	<-stopped
	// On a machine that is busy the samples may be too few to judge.
	if !strings.Contains(out, "samples") || !strings.Contains(out, "verdict: ") {
		t.Errorf("%v, %s", err, out)
	}
}

// TestFetchFails: each way in which there is no profile is told, and ends.
func TestFetchFails(t *testing.T) {
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"not found": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "there is no profile", 404) }, "there is no profile"},
		"escapes":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "\x1b[2J", 500) }, `\x1b[2J`},
		"a page":    {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<!DOCTYPE html>")) }, "a page and no profile"},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
		"half an answer": {func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte{0x1f})
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "deadline exceeded"},
	} {
		s := httptest.NewServer(tt.handler)
		_, err := fetchProfile(context.Background(), s.URL, 1, 100*time.Millisecond)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
	if _, err := readAtMost(strings.NewReader("12345"), 4, "x", "y"); err == nil {
		t.Error("5 bytes of 4 are accepted")
	}
}

// TestOtherProfiles: a profile of memory, and one that was cut.
func TestOtherProfiles(t *testing.T) {
	heap := synthetic(map[string]int64{"a": 1})
	heap.SampleType[0].Type, heap.SampleType[1].Type = "alloc_objects", "alloc_space"
	if _, err := hashingOf(packed(t, heap)); err == nil || !strings.Contains(err.Error(), "alloc_objects") {
		t.Errorf("heap: %v", err)
	}
	whole := packed(t, synthetic(map[string]int64{"a": 1, "b": 2}))
	for n := range whole {
		if _, err := hashingOf(whole[:n]); err == nil && n > 0 {
			t.Errorf("%d of %d bytes are accepted", n, len(whole))
		}
	}
}
