package poller

import (
	"bytes"
	"reflect"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// pointerFree reports whether the garbage collector has nothing to look at in t.
func pointerFree(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if !pointerFree(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return pointerFree(t.Elem())
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Complex128
}

// TestIdleConnectionCost holds what doc.go promises of an idle connection.
func TestIdleConnectionCost(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n > 20 {
		t.Errorf("conn has %d bytes: want at most 20", n)
	}
	if n := unsafe.Sizeof(timerNode{}); n != 12 {
		t.Errorf("timerNode has %d bytes: want 12", n)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[conn](), reflect.TypeFor[timerNode](), reflect.TypeFor[Handle]()} {
		if !pointerFree(typ) {
			t.Errorf("%s holds pointers", typ)
		}
	}
	if pointerFree(reflect.TypeFor[outItem]()) || pointerFree(reflect.TypeFor[*int]()) || pointerFree(reflect.TypeFor[string]()) {
		t.Error("pointerFree is blind")
	}
	if n := unsafe.Sizeof(sqe{}); n != 64 {
		t.Errorf("sqe has %d bytes: want 64", n)
	}
	if n := unsafe.Sizeof(cqe{}); n != 16 {
		t.Errorf("cqe has %d bytes: want 16", n)
	}
	if n := unsafe.Sizeof(uringParams{}); n != 120 {
		t.Errorf("uringParams has %d bytes: want 120", n)
	}
}

// TestConnFlagsFit: every flag in its own bit of conn.flags.
func TestConnFlagsFit(t *testing.T) {
	all := 0
	for _, f := range []int{flagUsed, flagConnecting, flagClosing, flagDying, flagPaused, flagResumed, flagEnded,
		flagInMask, flagOutMask, flagDialed, flagTarget, flagStamped} {
		if f == 0 || all&f != 0 || f > 0xffff {
			t.Errorf("flag %#x", f)
		}
		all |= f
	}
}

func TestHandleAndToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loop := rapid.IntRange(0, MaxLoops-1).Draw(t, "loop")
		slot := rapid.Uint32Range(0, MaxSlots-1).Draw(t, "slot")
		gen := rapid.Uint32Min(1).Draw(t, "gen")
		h := makeHandle(loop, slot, gen)
		if h.Loop() != loop || h.Slot() != slot || h.gen() != gen || h == 0 {
			t.Fatalf("%d %d %d became %s", loop, slot, gen, h)
		}
		kind := rapid.IntRange(kindConn, kindTimer).Draw(t, "kind")
		token := makeToken(kind, slot, gen)
		if k, s, g := splitToken(token); k != kind || s != slot || g != gen || token&tokenTag == 0 {
			t.Fatalf("%d %d %d became %d %d %d", kind, slot, gen, k, s, g)
		}
	})
}

func TestSlabDoesNotMove(t *testing.T) {
	var s Slab[uint64]
	first := s.At(0)
	*first = 7
	for _, i := range []uint32{1, chunkSlots - 1, chunkSlots, 100 * chunkSlots, 3*chunkSlots + 5} {
		*s.At(i) = uint64(i)
	}
	if first != s.At(0) || *first != 7 || *s.At(3*chunkSlots + 5) != 3*chunkSlots+5 || *s.At(2 * chunkSlots) != 0 {
		t.Error("a record moved")
	}
}

// TestBuffers lends against a model: nobody has the same memory at the same
// time, and capacities suffice.
func TestBuffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p Buffers
		type loan struct {
			b    []byte
			fill byte
		}
		var loans []loan
		sizes := rapid.OneOf(rapid.IntRange(0, 2000), rapid.IntRange(60<<10, 70<<10), rapid.SampledFrom([]int{1 << 18, 1<<18 + 1}))
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(loans) > 0 && rapid.Bool().Draw(t, "put") {
				k := rapid.IntRange(0, len(loans)-1).Draw(t, "which")
				if want := bytes.Repeat([]byte{loans[k].fill}, len(loans[k].b)); !bytes.Equal(loans[k].b, want) {
					t.Fatal("somebody else wrote to a lent buffer")
				}
				p.Put(loans[k].b)
				loans[k] = loans[len(loans)-1]
				loans = loans[:len(loans)-1]
			} else {
				n := sizes.Draw(t, "size")
				b := p.Get(n)
				if len(b) != 0 || cap(b) < n {
					t.Fatalf("Get(%d): len %d, cap %d", n, len(b), cap(b))
				}
				b = b[:min(cap(b), 4096)]
				for j := range b {
					b[j] = byte(i)
				}
				loans = append(loans, loan{b, byte(i)})
			}
			if p.Lent() != len(loans) {
				t.Fatalf("Lent is %d with %d loans", p.Lent(), len(loans))
			}
			kept := 0
			for c := range p.free {
				for _, b := range p.free[c] {
					kept += cap(b)
				}
			}
			if kept > (keepLargest-minClass+1)*keepBytes {
				t.Fatalf("%d bytes kept", kept)
			}
		}
	})
}
