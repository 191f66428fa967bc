package server

import (
	"reflect"
	"testing"
	"unsafe"

	"roost/poller"
	"roost/server/wire"
	"roost/server/ws"
)

// TestSizes holds the byte budget of ARCHITECTURE.md.
func TestSizes(t *testing.T) {
	if s := unsafe.Sizeof(connState{}); s != 36 {
		t.Errorf("connState is %d bytes, want 36", s)
	}
	withoutPointers(t, reflect.TypeFor[connState]())
}

// withoutPointers fails for fields that the garbage collector would have to look
// at.
func withoutPointers(t *testing.T, typ reflect.Type) {
	for f := range typ.Fields() {
		switch f.Type.Kind() {
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Bool:
		case reflect.Struct:
			withoutPointers(t, f.Type)
		default:
			t.Errorf("%v.%s is a %v: the garbage collector would have to look at it", typ, f.Name, f.Type)
		}
	}
}

func TestVariants(t *testing.T) {
	if variants > poller.MaxVariants {
		t.Fatalf("%d variants, the reactor has %d", variants, poller.MaxVariants)
	}
	seen := map[uint8]bool{}
	for f := range wire.Formats {
		deflates := []ws.Deflate{{}}
		for _, offer := range []string{"8", "9", "10", "11", "12", "13", "14", "15"} {
			d, ok := ws.Negotiate([][]byte{[]byte("permessage-deflate; server_max_window_bits=" + offer)})
			if !ok {
				t.Fatalf("%s bits not agreed", offer)
			}
			deflates = append(deflates, d)
		}
		for _, d := range deflates {
			v := variantOf(f, d)
			gotF, gotBits := splitVariant(v)
			if v == 0 || int(v) >= variants || seen[v] || gotF != f || gotBits != d.Bits() {
				t.Errorf("%v with %d bits: variant %d, back %v with %d", f, d.Bits(), v, gotF, gotBits)
			}
			seen[v] = true
		}
	}
}
