package plan

import (
	"net/netip"
	"testing"
)

func TestSourcesSkipNetworkAndBroadcast(t *testing.T) {
	for _, c := range []struct {
		cidr  string
		len   int
		first string
		last  string
	}{
		{"127.0.0.0/8", 65536 * 254, "127.0.0.1", "127.255.255.254"},
		{"10.1.2.0/24", 254, "10.1.2.1", "10.1.2.254"},
		{"10.1.2.0/23", 508, "10.1.2.1", "10.1.3.254"},
		{"10.1.2.0/30", 3, "10.1.2.1", "10.1.2.3"},
		{"10.1.2.252/30", 3, "10.1.2.252", "10.1.2.254"},
		{"10.1.2.8/30", 4, "10.1.2.8", "10.1.2.11"},
		{"10.1.2.7/32", 1, "10.1.2.7", "10.1.2.7"},
		{"10.1.2.7", 1, "10.1.2.7", "10.1.2.7"},
		{"fd00::/120", 255, "fd00::1", "fd00::ff"},
	} {
		s, err := ParseSources(c.cidr)
		if err != nil {
			t.Errorf("%s: %v", c.cidr, err)
			continue
		}
		if s.Len() != c.len || s.At(0).String() != c.first || s.At(s.Len()-1).String() != c.last {
			t.Errorf("%s: %d addresses from %v to %v, want %d from %s to %s", c.cidr, s.Len(), s.At(0), s.At(s.Len()-1), c.len, c.first, c.last)
		}
		for i := range min(s.Len(), 1000) {
			if a := s.At(i); !netip.MustParsePrefix(s.prefix.String()).Contains(a) {
				t.Errorf("%s: address %d is %v", c.cidr, i, a)
			} else if b := a.As16(); a.Is4() && s.Len() > 4 && (b[15] == 0 || b[15] == 255) {
				t.Errorf("%s: address %d is %v", c.cidr, i, a)
			}
		}
	}
	if _, err := ParseSources("ten"); err == nil {
		t.Error("ten was taken for addresses")
	}
}

func TestSourcesStayBelowThePortTrap(t *testing.T) {
	s, _ := ParseSources("127.0.0.0/8")
	source, err := s.For(25_000)
	if err != nil {
		t.Fatal(err)
	}
	per := map[netip.AddrPort]int{}
	for i := range 25_000 {
		per[source(i)]++
	}
	if len(per) != 3 {
		t.Errorf("%d addresses for 25,000 connections, want 3", len(per))
	}
	for a, n := range per {
		if n > PerSource || a.Port() != 0 {
			t.Errorf("%v has %d connections", a, n)
		}
	}
	one, _ := ParseSources("127.0.0.5")
	if _, err := one.For(PerSource + 1); err == nil {
		t.Error("one address took more than PerSource connections")
	}
	none, _ := ParseSources("")
	if _, err := none.For(PerSource + 1); err == nil {
		t.Error("no address took more than PerSource connections")
	}
	if source, err := none.For(PerSource); err != nil || source(0).IsValid() {
		t.Errorf("without sources: %v, %v", source(0), err)
	}
}
