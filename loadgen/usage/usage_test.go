package usage

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestTimesDivideTheCPU: user and system together are what the CPU clock says,
// but for the steps of both.
func TestTimesDivideTheCPU(t *testing.T) {
	user, system, err := Process(0).Times()
	if err != nil {
		t.Fatal(err)
	}
	own, err := Process(0).CPU()
	if err != nil {
		t.Fatal(err)
	}
	if sum := user + system; sum > own+2*tick || user < 0 || system < 0 {
		t.Errorf("%v user and %v system are more than %v", user, system, own)
	}
	if _, _, err := Process(1 << 30).Times(); err == nil {
		t.Error("a process that does not exist has times")
	}
}

func TestProcessCPUIsThatOfTheProcess(t *testing.T) {
	own, err := Process(0).CPU()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 1000; { // work that shows
		next, err := Process(os.Getpid()).CPU()
		if err != nil {
			t.Fatal(err)
		}
		if next < own {
			t.Fatalf("CPU time by pid %v is below the one read before it by itself, %v", next, own)
		}
		if next > own {
			n++
		}
		own = next
	}
	if _, err := Process(1 << 22).CPU(); err == nil {
		t.Error("a process that does not exist has a CPU clock")
	}
}

func TestProcessMemoryAndFiles(t *testing.T) {
	m, err := Process(os.Getpid()).Memory()
	if err != nil {
		t.Fatal(err)
	}
	if m.RSS < 1<<20 || m.PSS > m.RSS {
		t.Errorf("%+v", m)
	}
	before, err := Process(0).Files()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if after, _ := Process(0).Files(); after != before+2 {
		t.Errorf("%d files, and %d after opening two", before, after)
	}
}

func TestParseSlabinfo(t *testing.T) {
	const info = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
TCP                  130    130   2368   13    8 : tunables    0    0    0 : slabdata     10     10      0
dentry               420    420    192   21    1 : tunables    0    0    0 : slabdata     20     20      0
kmalloc-8           1024   1024      8  512    1 : tunables    0    0    0 : slabdata      2      2      0
`
	got := parseSlabinfo([]byte(info))
	page := int64(os.Getpagesize())
	if len(got) != 2 || got["TCP"] != 80*page || got["dentry"] != 20*page {
		t.Errorf("got %v", got)
	}
}

func TestParseStat(t *testing.T) {
	busy, steal := parseStat("cpu  100 1 50 9999 77 2 3 40 5 6")
	if busy != 1560*time.Millisecond || steal != 400*time.Millisecond {
		t.Errorf("busy %v, steal %v", busy, steal)
	}
	if busy, steal = parseStat(""); busy != 0 || steal != 0 {
		t.Errorf("nothing is busy %v, steal %v", busy, steal)
	}
}

func TestEnvNamesTheMachine(t *testing.T) {
	e := ReadEnv()
	if e.Kernel == "" || e.Cores < 1 || e.MemoryMiB < 1 || e.Go == "" || e.Files < 1 {
		t.Errorf("%+v", e)
	}
	if s, err := ReadSlab(); err != nil || s.Total <= 0 {
		t.Errorf("slab %+v, %v", s, err)
	}
}

// TestStartedTellsProcessesApart: another process began at another time or has
// another id; one that was killed has ended before its parent knows.
func TestStartedTellsProcessesApart(t *testing.T) {
	own, err := Process(0).Started()
	if err != nil || own <= 0 {
		t.Fatalf("%d, %v", own, err)
	}
	if again, err := Process(os.Getpid()).Started(); again != own || err != nil {
		t.Errorf("%d, then %d, %v", own, again, err)
	}
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer cmd.Wait()
	p := Process(cmd.Process.Pid)
	if at, err := p.Started(); err != nil || at < own {
		t.Errorf("a child began at %d, we at %d: %v", at, own, err)
	}
	in.Close() // it ends, and nobody has waited for it
	for end := time.Now().Add(30 * time.Second); ; {
		if _, err := p.Started(); errors.Is(err, ErrEnded) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not end")
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := Process(1 << 30).Started(); !errors.Is(err, ErrEnded) {
		t.Errorf("one that never was: %v", err)
	}
}
