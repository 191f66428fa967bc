package doctor

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"roost/loadgen/preflight"
)

// TestLook: every figure is there, whatever it is on this machine.
func TestLook(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the examination (15 s)")
	}
	d := Doctor{Tools: tools(t), Clients: 500, Say: t.Output()}
	figures, err := d.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, figures); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	for _, want := range []string{"clock source", "reading the clock", "oversleep of 1 ms, p99.9", "rx lag, p99", "send lag, p99", "ceiling of one worker, deliveries",
		"descriptors of a worker", "memory for connections", "for each connection, 250 to 500"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not there", want)
		}
	}
	for _, f := range figures {
		if f.Value == "" || !f.OK && f.Good == "" {
			t.Errorf("%+v", f)
		}
	}
}

// TestLookEnds when it is told to.
func TestLookEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := Doctor{Tools: tools(t), Say: t.Output()}
	if _, err := d.Look(ctx); err == nil {
		t.Error("no error")
	}
}

func TestWrite(t *testing.T) {
	figures := []Figure{figure("a", "5 ms", "below 1 ms", false, "do this", "or that"), figure("b", "1", "1", true, "never said"), fact("c", "%d", 7)}
	var out bytes.Buffer
	if err := Write(&out, figures); err != nil || Bad(figures) != 1 {
		t.Fatal(Bad(figures), err)
	}
	text := out.String()
	for _, want := range []string{"BAD: want below 1 ms", "  a: do this\n", "  a: or that\n", "ok: 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "never said") {
		t.Error(text)
	}
}

// TestClientsFitDescriptors: what was asked for, or what there is room for.
func TestClientsFitDescriptors(t *testing.T) {
	for _, c := range []struct {
		asked int
		files int64
		want  int
	}{{0, 20_000, DefaultClients}, {0, 1 << 20, DefaultClients}, {500, 20_000, 500}, {0, 1024, 224}, {0, 10, 100}} {
		d := Doctor{Clients: c.asked}
		if got := d.clients(&preflight.Machine{FilesHard: c.files}); got != c.want {
			t.Errorf("asked for %d with %d descriptors: %d, want %d", c.asked, c.files, got, c.want)
		}
	}
}

// TestFacts: there are some, and they stay.
func TestFacts(t *testing.T) {
	a := Facts()
	b := Facts()
	if len(a) == 0 || len(a) != len(b) {
		t.Fatalf("%v, %v", a, b)
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("%v became %v", a[i], b[i])
		}
	}
}
