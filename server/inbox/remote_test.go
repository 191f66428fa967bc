package inbox

import "testing"

func TestParseEpoch(t *testing.T) {
	for range 100 {
		e := RandomEpoch()
		if got, ok := ParseEpoch([]byte(e.String())); !ok || got != e {
			t.Fatalf("%q is read as %v, %v", e, got, ok)
		}
		p := ProvisionalEpoch()
		if got, ok := ParseEpoch([]byte(p.String())); !ok || got != p || !got.Provisional() || e.Provisional() {
			t.Fatalf("%q is read as %v, %v", p, got, ok)
		}
	}
	e := Epoch{store: 7, era: 1<<32 - 1}
	if got, ok := ParseEpoch([]byte(e.String())); !ok || got != e {
		t.Errorf("%q is read as %v, %v", e, got, ok)
	}
	for _, bad := range []string{"", ".", "k9", "k9.", ".1", "K9.1", "k9.01", "+1.1", "k9.1.1", "zzzzzzzzzzz.1", "1.zzzzzzzz"} {
		if got, ok := ParseEpoch([]byte(bad)); ok {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
}

// FuzzParseEpoch: what is an epoch is named as it was read.
func FuzzParseEpoch(f *testing.F) {
	f.Add([]byte("k9.1"))
	f.Fuzz(func(t *testing.T, name []byte) {
		if e, ok := ParseEpoch(name); ok && e.String() != string(name) {
			t.Fatalf("%q is %q", name, e)
		}
	})
}

func TestBodySerial(t *testing.T) {
	if b := NewBody(9); b.Serial() != 9 || b == (Body{}) {
		t.Errorf("%+v", b)
	}
}
