package session

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// TestPureRegistryAgainstMap compares the registry with a plain map under random
// connects, takeovers, late connects, late closes and lookups.
func TestPureRegistryAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, model := NewRegistry(), map[uint32]*entry{}
		next := uint64(1)
		device := rapid.OneOf(rapid.Uint32Range(0, 70), rapid.Uint32Range(shards*entriesPerChunk-3, shards*entriesPerChunk+3))
		t.Repeat(map[string]func(*rapid.T){
			"connect": func(t *rapid.T) {
				d := device.Draw(t, "device")
				old := model[d]
				sid := rapid.SampledFrom([]uint64{0, 77}).Draw(t, "sid")
				if old != nil && rapid.Bool().Draw(t, "same session") {
					sid = old.sid
				}
				fence := rapid.Uint32Range(1, 20).Draw(t, "fence")
				next++
				got := r.Register(d, sid, next<<32, next, fence)
				want := Outcome{SID: sid}
				if old != nil {
					want = Outcome{SID: sid, Old: old.conn, SameSession: sid != 0 && sid == old.sid}
					if old.fence > fence {
						want = Outcome{Late: true, SameSession: want.SameSession}
					} else if !want.SameSession {
						want.SID = 0
					}
				}
				if want.SID == 0 && !want.Late {
					want.SID = next << 32
				}
				if got != want {
					t.Fatalf("device %d, sid %x, fence %d against %+v: %+v, want %+v", d, sid, fence, old, got, want)
				}
				if !got.Late {
					model[d] = &entry{conn: next, sid: want.SID, fence: fence}
				}
			},
			"close": func(t *rapid.T) {
				d := device.Draw(t, "device")
				old := model[d]
				if old == nil {
					if r.Unregister(d, 1) {
						t.Fatal("a device that is not there was removed")
					}
					return
				}
				if rapid.Bool().Draw(t, "late") {
					if r.Unregister(d, old.conn-1) {
						t.Fatal("a late close removed the current connection")
					}
					return
				}
				if !r.Unregister(d, old.conn) || r.Unregister(d, old.conn) {
					t.Fatal("the current connection was not removed, or twice")
				}
				delete(model, d)
			},
			"": func(t *rapid.T) {
				if r.Len() != len(model) {
					t.Fatalf("Len %d, want %d", r.Len(), len(model))
				}
				for d := range uint32(shards*entriesPerChunk + 10) {
					conn, ok := r.Lookup(d)
					if old := model[d]; ok != (old != nil) || ok && conn != old.conn {
						t.Fatalf("Lookup(%d) = %d, %v; want %+v", d, conn, ok, old)
					}
					sid, ok := r.Session(d)
					if old := model[d]; ok != (old != nil) || ok && sid != old.sid {
						t.Fatalf("Session(%d) = %x, %v; want %+v", d, sid, ok, old)
					}
				}
			},
		})
	})
}

func TestValidID(t *testing.T) {
	for _, id := range []string{"", "a b", "\x00", "é", "a\n", strings.Repeat("x", MaxID+1)} {
		if ValidID(id) {
			t.Errorf("%q is valid", id)
		}
	}
	if !ValidID(strings.Repeat("x", MaxID)) {
		t.Error("an id of MaxID bytes is not valid")
	}
}

// TestConcurrentTakeover lets many goroutines connect and close the same few
// devices: at the end all are gone, and no memory is left.
func TestConcurrentTakeover(t *testing.T) {
	r := NewRegistry()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				conn := uint64(g*1_000_000 + i + 1)
				r.Register(uint32(i%7), 0, conn, conn, 1)
				r.Unregister(uint32(i%7), conn)
			}
		})
	}
	wg.Wait()
	if r.Len() != 0 {
		t.Errorf("%d devices left; every connection was closed", r.Len())
	}
	for i := range r.shards {
		for _, c := range r.shards[i].chunks {
			if c != nil {
				t.Error("a chunk without devices is left")
			}
		}
	}
}

// TestSizes holds the byte budget of ARCHITECTURE.md.
func TestSizes(t *testing.T) {
	if s := unsafe.Sizeof(entry{}); s != 24 {
		t.Errorf("entry is %d bytes, want 24", s)
	}
	for f := range reflect.TypeFor[entry]().Fields() {
		if k := f.Type.Kind(); k != reflect.Uint64 && k != reflect.Uint32 {
			t.Errorf("entry.%s is a %v: the garbage collector would have to look at it", f.Name, k)
		}
	}
}

func BenchmarkRegistry(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		r := NewRegistry()
		for i := range n {
			r.Register(uint32(i), 0, 1, uint64(i+1), 1)
		}
		b.Run(fmt.Sprintf("lookup/devices=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Lookup(uint32(i * 7919 % n))
			}
		})
		b.Run(fmt.Sprintf("reconnect/devices=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				d := i * 7919 % n
				r.Unregister(uint32(d), uint64(d+1))
				r.Register(uint32(d), 0, 1, uint64(d+1), 1)
			}
		})
	}
}
