package usage

import (
	"os/exec"
	"reflect"
	"strconv"
	"testing"
)

// TestProcessors: of this process, and of one that is bound to one processor.
func TestProcessors(t *testing.T) {
	own, err := Process(0).Processors()
	if err != nil || len(own) == 0 {
		t.Fatalf("%v, %v", own, err)
	}
	last := own[len(own)-1]
	cmd := exec.Command("taskset", "-c", strconv.Itoa(last), "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("taskset: %v", err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it runs, and is bound
		t.Fatal(err)
	}
	if got, err := Process(cmd.Process.Pid).Processors(); err != nil || !reflect.DeepEqual(got, []int{last}) {
		t.Errorf("%v, %v: want %d alone", got, err, last)
	}
	if got, err := Process(1 << 30).Processors(); err == nil {
		t.Errorf("a process that is none has %v", got)
	}
}
