package bench

import (
	"context"
	"math"
	"os"
	"testing"
)

// rawProfile is what go tool pprof -raw prints, cut to a few samples: one of
// each kind.
const rawProfile = `PeriodType: cpu nanoseconds
Period: 10000000
Time: 2026-11-22 23:21:01.263948795 +0000 UTC
Duration: 5.00
Samples:
samples/count cpu/nanoseconds
          1   10000000: 1 2 
          4   40000000: 3 4 5 
          2   20000000: 6 
          2   20000000: 7 8 2 
          1   10000000: 9 10 
                labels: "a":[b]
Locations
     1: 0x488fc4 M=1 runtime.makemap /usr/local/go/src/runtime/map.go:67:0 s=62
     2: 0x65f699 M=1 net/textproto.readMIMEHeader /usr/local/go/src/net/textproto/reader.go:529:0 s=516
             net/http.readRequest /usr/local/go/src/net/http/request.go:1133:0 s=1079
     3: 0x40b38e M=1 internal/runtime/syscall/linux.Syscall6 /usr/local/go/src/internal/runtime/syscall/linux/asm_linux_amd64.s:36:0 s=27
     4: 0x4a6f6c M=1 syscall.RawSyscall6 /usr/local/go/src/syscall/syscall_linux.go:65:0 s=63
     5: 0x4a6f6d M=1 roost/poller.sysSend /src/roost/poller/sys.go:1:0 s=1
             roost/server/api.(*handler).serve /src/roost/server/api/handler.go:1:0 s=1
     6: 0x4a6f6e M=1 runtime.findRunnable /usr/local/go/src/runtime/proc.go:1:0 s=1
     7: 0x4a6f6f M=1 runtime.mallocgc /usr/local/go/src/runtime/malloc.go:1:0 s=1
             roost/server/inbox.(*slab[go.shape.struct { a int; b int }]).at /src/roost/server/inbox/slab.go:1:0 s=1
     8: 0x4a6f70 M=1 encoding/json.Marshal /usr/local/go/src/encoding/json/encode.go:1:0 s=1
     9: 0x4a6f71 M=1 encoding/json.Unmarshal /usr/local/go/src/encoding/json/decode.go:1:0 s=1
    10: 0x4a6f72 M=1 roost/server/api.(*work).send /src/roost/server/api/publish.go:1:0 s=1
Mappings
1: 0x400000/0x7db000/0x0 /tmp/roostd d308736c4c7f3937a1ad48da8556d4da3337901b [FN]
`

func TestProfileIsDividedByTheInnermostFrame(t *testing.T) {
	p, err := parseProfile([]byte(rawProfile))
	if err != nil {
		t.Fatal(err)
	}
	if p.Samples != 10 {
		t.Fatalf("%d samples", p.Samples)
	}
	// Of ten: makemap for net/http and Unmarshal for the API; four sends, which
	// are roost's, though the API called; two of the scheduler; two in inbox,
	// though net/http is further out.
	if p.User != [parts]float64{0.2, 0.2, 0.2} || p.Kernel != [parts]float64{0, 0.4, 0} {
		t.Errorf("user %v, kernel %v", p.User, p.Kernel)
	}
	if s := p.userShare(partOurs); math.Abs(s-1.0/3) > 1e-9 || p.kernelShare(partOurs) != 1 || p.kernelShare(partHTTP) != 0 {
		t.Errorf("ours is %v of user, %v of kernel", s, p.kernelShare(partOurs))
	}
	want := []hot{{"roost/poller.sysSend", 0.4, true}, {"roost/server/inbox.(*slab[go.shape.struct { a int; b int }]).at", 0.2, false},
		{"runtime.findRunnable", 0.2, false}, {"net/http.readRequest", 0.1, false}, {"roost/server/api.(*work).send", 0.1, false}}
	if len(p.Top) != len(want) {
		t.Fatalf("%+v", p.Top)
	}
	for i := range want {
		if p.Top[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i, p.Top[i], want[i])
		}
	}
}

func TestProfileWithoutSamplesIsAnError(t *testing.T) {
	if p, err := parseProfile([]byte("Samples:\nsamples/count cpu/nanoseconds\nLocations\n")); err == nil {
		t.Errorf("%+v", p)
	}
	file := t.TempDir() + "/none"
	if err := os.WriteFile(file, []byte("no profile"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := readProfile(context.Background(), file); err == nil {
		t.Errorf("%+v", p)
	}
}

func TestAttribute(t *testing.T) {
	for _, c := range []struct {
		stack  []string
		of     part
		kernel bool
	}{
		{nil, partRuntime, false},
		{[]string{"runtime.gcDrain", "runtime.gcBgMarkWorker"}, partRuntime, false},
		{[]string{"runtime.futex", "runtime.notesleep", "runtime.mcall"}, partRuntime, true},
		{[]string{"internal/runtime/syscall/linux.Syscall6", "syscall.Syscall", "roost/server/inbox/journal.(*file).Datasync.func1"}, partOurs, true},
		{[]string{"bufio.(*Writer).Write", "net/http.(*conn).serve"}, partHTTP, false},
		{[]string{"github.com/VictoriaMetrics/metrics.(*Set).GetOrCreate", "roost/server/metrics.(*Set).APIRequest", "net/http.(*conn).serve"}, partHTTP, false},
		{[]string{"roost/server/ws.AppendFrame", "roost/server.(*handler).Message"}, partOurs, false},
		{[]string{"main.main"}, partOurs, false},
	} {
		if of, _, kernel := attribute(c.stack); of != c.of || kernel != c.kernel {
			t.Errorf("%q: %d %v, want %d %v", c.stack, of, kernel, c.of, c.kernel)
		}
	}
}
