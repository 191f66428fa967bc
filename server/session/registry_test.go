package session

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// TestRegistryAgainstMap compares the registry with a plain map under random
// connects, takeovers, late closes and lookups, with few enough ids that every
// probe chain is exercised and with ids of every cell size.
func TestRegistryAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type known struct {
			conn, sid uint64
			ref       Ref
			fence     uint32
		}
		r, model := NewRegistry(), map[string]*known{}
		next := uint64(1)
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[!-~]{1,128}`), 1, 200, rapid.ID[string]).Draw(t, "ids")
		id := rapid.SampledFrom(ids)
		t.Repeat(map[string]func(*rapid.T){
			"connect": func(t *rapid.T) {
				id := id.Draw(t, "id")
				var sid uint64
				old := model[id]
				if old != nil && rapid.Bool().Draw(t, "same session") {
					sid = old.sid
				}
				next++
				fence := rapid.Uint32Range(1, 20).Draw(t, "fence")
				out, err := r.Register([]byte(id), sid, next<<32, next, fence)
				if err != nil {
					t.Fatal(err)
				}
				if late := old != nil && old.fence > fence; late != out.Late {
					t.Fatalf("fence %d against %+v: %+v", fence, old, out)
				} else if late {
					return
				}
				want := known{conn: next, sid: next << 32, ref: out.Ref, fence: fence}
				if old != nil {
					if out.Old != old.conn || out.Ref != old.ref || out.SameSession != (sid != 0) {
						t.Fatalf("takeover of %+v: %+v", *old, out)
					}
					if sid != 0 {
						want.sid = sid
					}
				} else if out.Old != 0 || out.SameSession {
					t.Fatalf("a new device took over: %+v", out)
				}
				if out.SID != want.sid {
					t.Fatalf("got %+v, want %+v", out, want)
				}
				model[id] = &want
			},
			"close": func(t *rapid.T) {
				id := id.Draw(t, "id")
				k := model[id]
				if k == nil {
					return
				}
				if rapid.Bool().Draw(t, "late") {
					if r.Unregister(k.ref, k.conn-1) {
						t.Fatal("a late close removed the current connection")
					}
					return
				}
				if !r.Unregister(k.ref, k.conn) {
					t.Fatal("the current connection was not removed")
				}
				if r.Unregister(k.ref, k.conn) {
					t.Fatal("removed twice")
				}
				delete(model, id)
			},
			"": func(t *rapid.T) {
				if r.Len() != len(model) {
					t.Fatalf("Len %d, want %d", r.Len(), len(model))
				}
				for _, id := range ids {
					conn, ok := r.Lookup([]byte(id))
					k := model[id]
					if ok != (k != nil) || ok && conn != k.conn {
						t.Fatalf("Lookup(%q) = %d, %v; want %+v", id, conn, ok, k)
					}
					if k != nil && string(r.AppendID(nil, k.ref, k.conn)) != id {
						t.Fatalf("AppendID of %q: %q", id, r.AppendID(nil, k.ref, k.conn))
					}
				}
			},
		})
	})
}

// TestSessionIsAdopted: the sid of a device that nobody else is connected as
// lives on, so that a session outlives its connections and the node.
func TestSessionIsAdopted(t *testing.T) {
	r := NewRegistry()
	if out, err := r.Register([]byte("d"), 77, 1, 1, 1); err != nil || out.SID != 77 || out.SameSession {
		t.Errorf("first: %+v, %v", out, err)
	}
	if out, _ := r.Register([]byte("d"), 78, 2, 2, 2); out.SID != 2 || out.Old != 1 || out.SameSession {
		t.Errorf("a stranger: %+v", out)
	}
}

func TestRegisterRefusesBadIDs(t *testing.T) {
	r := NewRegistry()
	for _, id := range []string{"", "a b", "\x00", "é", "a\n", strings.Repeat("x", MaxID+1)} {
		if _, err := r.Register([]byte(id), 0, 1, 1, 1); !errors.Is(err, ErrID) {
			t.Errorf("Register(%q) = %v, want ErrID", id, err)
		}
	}
	if _, err := r.Register([]byte(strings.Repeat("x", MaxID)), 0, 1, 1, 1); err != nil {
		t.Errorf("an id of MaxID bytes: %v", err)
	}
}

// TestConcurrentTakeover lets many goroutines connect and close the same few
// devices: at the end each device is gone or has the connection that came last.
func TestConcurrentTakeover(t *testing.T) {
	r := NewRegistry()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				conn := uint64(g*1_000_000 + i + 1)
				out, err := r.Register(fmt.Appendf(nil, "d%d", i%7), 0, conn, conn, 1)
				if err != nil {
					t.Error(err)
					return
				}
				r.Unregister(out.Ref, conn)
			}
		})
	}
	wg.Wait()
	if r.Len() != 0 {
		t.Errorf("%d devices left; every connection was closed", r.Len())
	}
}

// TestSizes holds the byte budget of ARCHITECTURE.md.
func TestSizes(t *testing.T) {
	if s := unsafe.Sizeof(entry{}); s != 24 {
		t.Errorf("entry is %d bytes, want 24", s)
	}
	for i := range reflect.TypeFor[entry]().NumField() {
		if k := reflect.TypeFor[entry]().Field(i).Type.Kind(); k != reflect.Uint64 && k != reflect.Uint32 {
			t.Errorf("entry.%s is a %v: the garbage collector would have to look at it", reflect.TypeFor[entry]().Field(i).Name, k)
		}
	}
}

func BenchmarkRegistry(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		r := NewRegistry()
		ids := make([][]byte, n)
		for i := range ids {
			ids[i] = fmt.Appendf(nil, "device-%07d", i)
			r.Register(ids[i], 0, 1, uint64(i+1), 1)
		}
		b.Run(fmt.Sprintf("lookup/devices=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Lookup(ids[i*7919%n])
			}
		})
		b.Run(fmt.Sprintf("reconnect/devices=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				k := i * 7919 % n
				out, _ := r.Register(ids[k], 0, 1, uint64(k+1), 1)
				r.Unregister(out.Ref, uint64(k+1))
				r.Register(ids[k], 0, 1, uint64(k+1), 1)
			}
		})
	}
}
