package cpuprofile

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// made is a profile with a location of two functions, one inlined in the other,
// and one without a name.
func made() *profile.Profile {
	f := []*profile.Function{{ID: 1, Name: "read"}, {ID: 2, Name: "serve"}}
	l := []*profile.Location{{ID: 1, Line: []profile.Line{{Function: f[0]}, {Function: f[1]}}}, {ID: 2}}
	return &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 10e6, Function: f, Location: l,
		Sample: []*profile.Sample{{Location: l, Value: []int64{3, 30e6}}, {Location: l[1:], Value: []int64{1, 10e6}}},
	}
}

// written is what a server would send.
func written(t *testing.T, p *profile.Profile, write func(*profile.Profile, io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(p, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParse(t *testing.T) {
	want := &Profile{Period: 10e6, Samples: []Sample{{[]string{"read", "serve", "unknown"}, 30e6}, {[]string{"unknown"}, 10e6}}}
	for _, write := range []func(*profile.Profile, io.Writer) error{(*profile.Profile).Write, (*profile.Profile).WriteUncompressed} {
		p, err := Parse(written(t, made(), write))
		if err != nil || !reflect.DeepEqual(p, want) || p.CPU() != 40e6 {
			t.Errorf("%+v, %v", p, err)
		}
	}
	heap := made()
	heap.SampleType[1].Type = "space"
	for says, data := range map[string][]byte{"no CPU time": written(t, heap, (*profile.Profile).Write), "EOF": {0x1f, 0x8b}, "unknown wire type": []byte("<html>"), "empty": nil} {
		if p, err := Parse(data); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v", says, p, err)
		}
	}
}

// FuzzParse: whatever a server sends, there is a profile or an error.
func FuzzParse(f *testing.F) {
	var b bytes.Buffer
	if err := made().WriteUncompressed(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := Parse(data); err == nil && p.Period < 1 {
			t.Errorf("a period of %d", p.Period)
		}
	})
}

func TestTake(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("seconds") != "1" {
			http.Error(w, "seconds must be 1", http.StatusBadRequest)
			return
		}
		_ = made().Write(w)
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "cpu.pprof")
	if err := Take(t.Context(), s.URL+"/?seconds=2", time.Second, file); err == nil || !strings.Contains(err.Error(), "seconds must be 1") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("an error became a file")
	}
	if err := Take(t.Context(), s.URL+"/?seconds=1", time.Second, file); err != nil {
		t.Fatal(err)
	}
	if p, err := Read(file); err != nil || len(p.Samples) != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.WriteFile(file, []byte("no profile"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), "cpu.pprof is no CPU profile") {
		t.Errorf("got %v", err)
	}
}
