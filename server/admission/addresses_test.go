package admission

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestAddressesRate: an address gets its burst at once and then its rate, and takes nothing of others.
func TestAddressesRate(t *testing.T) {
	a := NewAddresses(100)
	passed := 0
	for ms := range 10_000 { // 1,000 a second, for 10 s
		if _, ok := a.Take(time.Duration(ms)*time.Millisecond, addr("192.0.2.1")); ok {
			passed++
		}
		if ms%100 == 0 {
			if after, ok := a.Take(time.Duration(ms)*time.Millisecond, addr("192.0.2.2")); !ok {
				t.Fatalf("another one was refused after %d ms, for %d s", ms, after)
			}
		}
	}
	if passed < 1190 || passed > 1201 {
		t.Errorf("%d passed in 10 s, want 200 and 100 a second", passed)
	}
	if n := a.Refused(); n != uint64(10_000-passed) {
		t.Errorf("%d were counted", n)
	}
}

// TestAddressesSlots: who is refused and comes when it was told is through, but for a few; as many as an address has are through in
// the time that its rate needs.
func TestAddressesSlots(t *testing.T) {
	const n = 3_000
	a := NewAddresses(100)
	due := map[int64]int{0: n}
	passed, refused, last := 0, 0, int64(0)
	for ms := int64(0); passed < n && ms < 120_000; ms++ {
		for range due[ms] {
			after, ok := a.Take(time.Duration(ms)*time.Millisecond, addr("2001:db8::1"))
			if ok {
				passed, last = passed+1, ms
				continue
			}
			refused++
			// As a client does: a random part of a second on top.
			due[ms+int64(after)*1000+int64(refused*7919%1000)]++
		}
		delete(due, ms)
	}
	if passed != n || last > 40_000 || refused > 2*n {
		t.Errorf("%d of %d after %d ms, with %d refusals; 30 s are what the rate needs", passed, n, last, refused)
	}
}

// TestAddressesLongestWait: nobody is told more than a minute, and who comes on and on makes that no longer.
func TestAddressesLongestWait(t *testing.T) {
	a := NewAddresses(1)
	most := 0
	for range 10_000 {
		if after, ok := a.Take(0, addr("192.0.2.1")); !ok {
			most = max(most, after)
			if after < 1 {
				t.Fatalf("after %d s", after)
			}
		}
	}
	if most != longestWait {
		t.Errorf("%d s at most", most)
	}
	if _, ok := a.Take(2*longestWait*time.Second, addr("192.0.2.1")); !ok {
		t.Error("it is refused when all of that is over")
	}
}

// TestAddressesNames: what counts as one address.
func TestAddressesNames(t *testing.T) {
	for _, tt := range []struct {
		one, other string
		same       bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1:2:3", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		a := NewAddresses(0.5)
		a.Take(0, addr(tt.one))
		if _, ok := a.Take(0, addr(tt.other)); ok == tt.same {
			t.Errorf("%s and %s are one: %v", tt.one, tt.other, !tt.same)
		}
	}
}

// TestAddressesMany: a quarter of a million addresses leave one that is being limited where it is, and the table as large as it was.
func TestAddressesMany(t *testing.T) {
	a := NewAddresses(10)
	hostile := addr("203.0.113.1")
	for range 100 {
		a.Take(0, hostile)
	}
	passed := 0
	for i := range 250_000 {
		now := time.Duration(i) * 4 * time.Microsecond // a second in all
		if _, ok := a.Take(now, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})); !ok {
			t.Fatalf("address %d was refused", i)
		}
		if i%100 == 0 {
			if _, ok := a.Take(now, hostile); ok {
				passed++
			}
		}
	}
	if passed > 11 {
		t.Errorf("%d of a limited address passed in a second, want 10", passed)
	}
	n := 0
	for i := range a.table.shards {
		n += len(a.table.shards[i].sets)
	}
	if n != entries {
		t.Errorf("%d entries", n)
	}
}

// TestAddressesClock: a goroutine whose time is behind gives nobody anything.
func TestAddressesClock(t *testing.T) {
	a := NewAddresses(1)
	a.Take(time.Second, addr("192.0.2.1"))
	a.Take(time.Second, addr("192.0.2.1"))
	for i := range 10 {
		if _, ok := a.Take(time.Duration(i)*10*time.Millisecond, addr("192.0.2.1")); ok {
			t.Fatalf("call %d passed", i)
		}
	}
}

func BenchmarkAddressesTake(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("addresses=%d", n), func(b *testing.B) {
			a := NewAddresses(100)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				k := i % n
				a.Take(time.Duration(i)*time.Microsecond, netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)}))
			}
		})
	}
}
