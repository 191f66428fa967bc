package coord

import (
	"fmt"
	"testing"

	"roost/loadgen/link"
	"roost/loadgen/workerpool"
)

// TestWhatIsNotReadIsNoted, once for each machine and not without bound.
func TestWhatIsNotReadIsNoted(t *testing.T) {
	r := &run{}
	for _, host := range []string{"a", "b"} {
		for range 3 {
			r.noteUnread(&member{Member: &workerpool.Member{Hello: &link.Hello{Host: host}}}, &link.Self{Unread: []string{"pressure: no such file"}})
		}
	}
	if len(r.notes) != 2 || r.notes[1] != "workers on b could not read pressure: no such file" {
		t.Errorf("%q", r.notes)
	}
	for i := range 1000 {
		r.noteUnread(&member{Member: &workerpool.Member{Hello: &link.Hello{Host: "c"}}}, &link.Self{Unread: []string{fmt.Sprint(i)}})
	}
	if len(r.notes) != maxUnread {
		t.Errorf("%d notes", len(r.notes))
	}
}
