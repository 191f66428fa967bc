package bench

import (
	"math"
	"os"
	"testing"

	"roost/bench/cpuprofile"
)

// someProfile has a sample of each kind, ten of 10 ms in all.
var someProfile = cpuprofile.Profile{Period: 10e6, Samples: []cpuprofile.Sample{
	{Stack: []string{"runtime.makemap", "net/textproto.readMIMEHeader", "net/http.readRequest"}, CPU: 10e6},
	{Stack: []string{"internal/runtime/syscall/linux.Syscall6", "syscall.RawSyscall6", "roost/poller.sysSend", "roost/server/api.(*handler).serve"}, CPU: 40e6},
	{Stack: []string{"runtime.findRunnable"}, CPU: 20e6},
	{Stack: []string{"runtime.mallocgc", "roost/server/inbox.(*slab[go.shape.struct { a int; b int }]).at", "encoding/json.Marshal", "net/textproto.readMIMEHeader", "net/http.readRequest"}, CPU: 20e6},
	{Stack: []string{"encoding/json.Unmarshal", "roost/server/api.(*work).send"}, CPU: 10e6},
}}

func TestProfileIsDividedByTheInnermostFrame(t *testing.T) {
	p, err := divide(&someProfile)
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
	if p, err := divide(&cpuprofile.Profile{Period: 10e6}); err == nil {
		t.Errorf("%+v", p)
	}
	file := t.TempDir() + "/none"
	if err := os.WriteFile(file, []byte("no profile"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := readProfile(file); err == nil {
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
