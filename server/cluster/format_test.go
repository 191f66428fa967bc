package cluster

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/ring"
	"roost/ring/snapshot"
)

// TestKeys: every key is told from the others by its name alone.
func TestKeys(t *testing.T) {
	for _, prefix := range []string{"", "/r", "/a/b"} {
		k, err := newKeys(prefix)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]struct {
			of   kind
			name string
		}{
			k.node("n1"): {nodeKey, "n1"}, k.node("a/b"): {nodeKey, "a/b"}, k.weight("n1"): {weightKey, "n1"},
			k.version(7): {versionKey, "7"}, k.active(): {activeKey, ""}, k.config() + "decay/done/20260314": {configKey, "decay/done/20260314"},
			k.cluster(): {otherKey, ""}, k.planner(): {otherKey, ""}, k.nodes(): {otherKey, ""}, "/other" + k.node("n1"): {otherKey, ""},
		} {
			if of, name := k.parse(key); of != want.of || name != want.name {
				t.Errorf("%s is %d %q, want %d %q", key, of, name, want.of, want.name)
			}
			if want.of != otherKey && !strings.HasPrefix(key, k.all()) {
				t.Errorf("%s is not watched", key)
			}
		}
	}
	for _, bad := range []string{"r", "/r/", "/", "/r r", "/\x00", "/\xff", "/" + strings.Repeat("r", 255)} {
		if _, err := newKeys(bad); !errors.Is(err, ErrOptions) {
			t.Errorf("prefix %q: %v", bad, err)
		}
	}
	for name, ok := range map[string]bool{"7": true, "18446744073709551615": true, "0": false, "07": false, "+7": false, "": false, "x": false, "18446744073709551616": false} {
		if _, got := parseVersion(name); got != ok {
			t.Errorf("version %q: %v", name, got)
		}
	}
}

// TestDial: options that cannot be are refused before anything is asked of etcd.
func TestDial(t *testing.T) {
	good := Options{Endpoints: []string{"127.0.0.1:1"}, Cluster: desk}
	for name, change := range map[string]func(*Options){
		"endpoints":   func(o *Options) { o.Endpoints = nil },
		"prefix":      func(o *Options) { o.Prefix = "x" },
		"id":          func(o *Options) { o.Cluster.ID = "" },
		"environment": func(o *Options) { o.Cluster.Environment = "a\nb" },
		"timeout":     func(o *Options) { o.Timeout = -1 },
	} {
		o := good
		change(&o)
		if c, err := Dial(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

// TestMemberFormat: what is written is read, and what cannot be is refused.
func TestMemberFormat(t *testing.T) {
	m := member("n1")
	m.Token = "t"
	text, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeMember("n1", []byte(text), 42)
	if m.Created, m.Incarnation = 42, 42; err != nil || back != m {
		t.Errorf("%+v came back as %+v, %v", m, back, err)
	}
	m.Incarnation = 7
	text, _ = m.encode()
	if back, err := decodeMember("n1", []byte(text), 42); err != nil || back.Incarnation != 7 || back.Created != 42 {
		t.Errorf("after a lost lease: %+v, %v", back, err)
	}
	if _, err := decodeMember("n1", []byte(`{"id":"n1","addr":"x","of_a_later_version":{}}`), 1); err != nil {
		t.Errorf("a field that is not known: %v", err)
	}
	for _, bad := range []string{``, `[]`, `{"id":"n2"}`, `{"id":"n1","capacity":-1}`, `{"id":"n1","addr":"a\n"}`, `{"id":"n1","incarnation":-1}`,
		`{"id":"n1","build":"` + strings.Repeat("b", 256) + `"}`, `{"id":"n1"}` + strings.Repeat(" ", maxMember)} {
		if m, err := decodeMember("n1", []byte(bad), 1); !errors.Is(err, ErrDamaged) {
			t.Errorf("%.60s was read as %+v, %v", bad, m, err)
		}
	}
	for _, w := range []Weight{{Value: math.NaN()}, {Value: -1}, {Value: math.Inf(1)}, {Value: math.Copysign(0, -1)}} {
		if err := w.check("n1"); !errors.Is(err, ErrMember) {
			t.Errorf("weight %v: %v", w.Value, err)
		}
	}
	if err := (&Weight{Inputs: make([]byte, maxInputs+1)}).check("n1"); !errors.Is(err, ErrTooBig) {
		t.Errorf("large inputs: %v", err)
	}
}

func FuzzMember(f *testing.F) {
	f.Add([]byte(`{"id":"n1","addr":"ws://x","zone":"a","capacity":5000}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, err := decodeWeight("n1", b, 1); err == nil && (w.Value < 0 || w.Value != w.Value) {
			t.Fatalf("%s is a weight of %v", b, w.Value)
		}
		m, err := decodeMember("n1", b, 1)
		if err != nil {
			return
		}
		text, err := m.encode()
		if err != nil {
			t.Fatalf("%s is read and cannot be written: %v", b, err)
		}
		if back, err := decodeMember("n1", []byte(text), 1); err == nil && back != m {
			t.Fatalf("%+v came back as %+v", m, back)
		}
	})
}

// TestDraft: a view is made of another one without changing it, and what cannot
// be read does not count, or stays as it was.
func TestDraft(t *testing.T) {
	k, _ := newKeys("")
	put := func(key, value string, created, mod int64) *clientv3.Event {
		return &clientv3.Event{Type: clientv3.EventTypePut, Kv: &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value), CreateRevision: created, ModRevision: mod}}
	}
	gone := func(key string, mod int64) *clientv3.Event {
		return &clientv3.Event{Type: clientv3.EventTypeDelete, Kv: &mvccpb.KeyValue{Key: []byte(key), ModRevision: mod}}
	}
	after := func(v *View, events ...*clientv3.Event) *View {
		d := from(v, k)
		d.apply(events)
		return &d.View
	}
	text := func(id string) string {
		m := member(id)
		s, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := after(&View{Revision: 1}, put(k.node("a"), text("a"), 2, 2), put(k.weight("a"), `{"weight":5}`, 3, 3), put(k.active(), `{"stable":1}`, 4, 4), put(k.config()+"x", "y", 5, 5))
	if !one.Has("a") || one.Weights["a"].Value != 5 || one.Pointer.Activation != 4 || string(one.Config["x"].Value) != "y" || one.Revision != 5 {
		t.Fatalf("%+v", one)
	}
	if two := after(one, put(k.node("b"), text("b"), 5, 5)); two.Has("b") || two.Revision != 5 {
		t.Errorf("an event that the view has already: %+v", two)
	}
	spoilt := after(one, put(k.node("a"), "spoilt", 2, 6), put(k.node("b"), "spoilt", 7, 7), put(k.weight("a"), "spoilt", 3, 8), put(k.active(), "spoilt", 4, 9))
	if !spoilt.Has("a") || spoilt.Has("b") || spoilt.Weights["a"].Value != 5 || spoilt.Pointer.Activation != 4 || len(spoilt.Refused) != 4 {
		t.Errorf("spoilt keys: %+v", spoilt)
	}
	mended := after(spoilt, put(k.node("b"), text("b"), 7, 10), gone(k.weight("a"), 11), gone(k.node("a"), 12), put(k.active(), `{"stable":2}`, 4, 13), gone(k.config()+"x", 14))
	if mended.Has("a") || !mended.Has("b") || len(mended.Weights) != 0 || mended.Pointer.Stable != 2 || len(mended.Refused) != 0 || len(mended.Config) != 0 {
		t.Errorf("mended: %+v", mended)
	}
	if !one.Has("a") || one.Has("b") || len(one.Weights) != 1 || len(one.Refused) != 0 || len(spoilt.Refused) != 4 || len(one.Config) != 1 {
		t.Errorf("older views have changed: %+v, %+v", one, spoilt)
	}
	last := &View{}
	for v := range uint64(10) {
		b, err := snapshot.Of(built(t, v+1, "a")).Encode()
		if err != nil {
			t.Fatal(err)
		}
		last = after(last, put(k.version(v+1), string(b), int64(v+1), int64(v+1)))
		if last.seen(v+1, Hash(snapshot.ContentHash(b))) == nil || last.seen(v+1, 1) != nil {
			t.Errorf("version %d was not seen, or with another hash", v+1)
		}
	}
	if len(last.snapshots) != maxSeen {
		t.Errorf("%d snapshots are kept, want %d", len(last.snapshots), maxSeen)
	}
}

// fileOf returns an Active of rings, as the router makes it.
func fileOf(t testing.TB, stable, canary *ring.Ring) *Active {
	t.Helper()
	read := func(r *ring.Ring) *Stored {
		b, err := snapshot.Of(r).Encode()
		if err != nil {
			t.Fatal(err)
		}
		s, err := readStored(r.Version(), b)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := &Active{stable: read(stable)}
	a.Pointer = Pointer{}.activated(named{stable.Version(), a.stable.Hash}, tell)
	if canary != nil {
		a.canary = read(canary)
		var err error
		if a.Pointer, err = a.Pointer.tried(named{canary.Version(), a.canary.Hash}, 500, tell); err != nil {
			t.Fatal(err)
		}
	}
	a.Pointer.Activation = 77
	a.route()
	return a
}

// TestFile: what is written is read, whichever byte of it is changed is noticed,
// and a file of another cluster is refused.
func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "routes")
	if a, err := readActive(name, desk); a != nil || err != nil {
		t.Fatalf("no file: %v, %v", a, err)
	}
	for _, canary := range []*ring.Ring{nil, built(t, 2, "a", "b", "c")} {
		a := fileOf(t, built(t, 1, "a", "b"), canary)
		if err := writeActive(name, desk, a); err != nil {
			t.Fatal(err)
		}
		back, err := readActive(name, desk)
		if err != nil || back.Pointer != a.Pointer || back.From != FromFile {
			t.Fatalf("came back as %+v, %v", back, err)
		}
		for _, key := range []string{"a", "device-17", "x/y"} {
			r, i := a.Routes.Lookup(key)
			s, j := back.Routes.Lookup(key)
			if r.Node(i).ID != s.Node(j).ID || r.Version() != s.Version() {
				t.Errorf("%s has another owner", key)
			}
		}
	}
	if _, err := readActive(name, Identity{"other", "test"}); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("a file of another cluster: %v", err)
	}
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		b := append([]byte(nil), good...)
		b[i] ^= 0x11
		if a, err := parseActive(b, desk); err == nil && a.Pointer != (Pointer{}) && string(b) != string(good) {
			t.Fatalf("byte %d changed (%q), and it was read", i, good[i])
		}
	}
	for i := range good {
		if _, err := parseActive(good[:i], desk); err == nil {
			t.Fatalf("the first %d bytes of %d were read", i, len(good))
		}
	}
	left, _ := filepath.Glob(name + ".new*")
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func FuzzFile(f *testing.F) {
	name := filepath.Join(f.TempDir(), "routes")
	if err := writeActive(name, desk, fileOf(f, built(f, 1, "a"), built(f, 2, "a", "b"))); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := strings.Cut(string(b), "\n")
	f.Add([]byte(body))
	f.Fuzz(func(t *testing.T, b []byte) {
		var file routesFile
		if json.Unmarshal(b, &file) != nil {
			return
		}
		a, err := file.active()
		if err == nil && (a.Routes == nil || a.Pointer.Stable != a.Routes.Stable().Version()) {
			t.Fatalf("%+v", a.Pointer)
		}
	})
}
