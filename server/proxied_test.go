package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// behindProxy starts a node that looks for headers from some addresses.
func behindProxy(t *testing.T, mode ProxyMode, from string) *Server {
	t.Helper()
	return start(t, func(o *Options) {
		o.Proxy.Mode = mode
		if from != "" {
			var err error
			if o.Proxy.From, err = ParseProxies(from); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// addressOf returns what the API says about where a device is connected from.
func addressOf(t *testing.T, s *Server, id string) string {
	t.Helper()
	code, body := request(t, s, "GET", "/v1/devices/"+id, "")
	var d struct{ Connection *struct{ Address string } }
	if err := json.Unmarshal([]byte(body), &d); err != nil || code != 200 || d.Connection == nil {
		t.Fatalf("%d %s, %v", code, body, err)
	}
	return d.Connection.Address
}

// connectRaw sends pieces on a new connection, each alone, and reads the head of the
// answer.
func connectRaw(t *testing.T, s *Server, pieces ...string) (nc net.Conn, head string) {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	for _, p := range pieces {
		if _, err := io.WriteString(nc, p); err != nil {
			t.Fatal(err)
		}
	}
	var got []byte
	for !strings.HasSuffix(string(got), "\r\n\r\n") {
		var b [1]byte
		if _, err := io.ReadFull(nc, b[:]); err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, b[0])
	}
	return nc, string(got)
}

const (
	lineV1  = "PROXY TCP4 203.0.113.7 192.0.2.1 51000 443\r\n"
	mapped  = "PROXY TCP6 ::ffff:203.0.113.9 ::1 7 443\r\n"
	localV2 = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	proxyV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xc7\x38\x01\xbb"
)

// TestProxiedAddress: the client's address is the one that a believed proxy named,
// and the socket's without that.
func TestProxiedAddress(t *testing.T) {
	for _, mode := range []ProxyMode{ProxyOptional, ProxyRequired} {
		s := behindProxy(t, mode, "")
		for i, tt := range []struct{ header, want string }{
			{lineV1, "203.0.113.7:51000"},
			{proxyV2, "[2001:db8::7]:51000"},
			{mapped, "203.0.113.9:7"},
			{localV2, "socket"},
			{"PROXY UNKNOWN\r\n", "socket"},
			{"", "socket"}, // optional only
		} {
			if tt.header == "" && mode == ProxyRequired {
				continue
			}
			id := fmt.Sprint("d", i)
			nc, head := connectRaw(t, s, tt.header+upgradeRequest("/v1/connect?device="+id))
			if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
				t.Fatalf("%v, %q: %q", mode, tt.header, head)
			}
			want := tt.want
			if want == "socket" {
				want = nc.LocalAddr().String()
			}
			if got := addressOf(t, s, id); got != want {
				t.Errorf("%v, %q: connected from %s, want %s", mode, tt.header, got, want)
			}
		}
	}
}

// TestProxiedInPieces: header and request may come byte by byte, and the first frame
// with them.
func TestProxiedInPieces(t *testing.T) {
	s := behindProxy(t, ProxyRequired, "127.0.0.1")
	for i, header := range []string{lineV1, proxyV2} {
		ping := "\x89\x80\x00\x00\x00\x00"
		all := header + upgradeRequest(fmt.Sprintf("/v1/connect?device=d%d", i)) + ping
		var pieces []string
		for _, b := range []byte(all) {
			pieces = append(pieces, string([]byte{b}))
		}
		for _, p := range [][]string{pieces, {all[:len(header)], all[len(header):]}, {all[:3], all[3:]}, {all}} {
			nc, head := connectRaw(t, s, p...)
			if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
				t.Fatalf("%q", head)
			}
			var first [2]byte // of the welcome
			if _, err := io.ReadFull(nc, first[:]); err != nil || first[0] != 0x81 {
				t.Fatalf("%x, %v", first, err)
			}
			nc.Close()
		}
	}
}

// TestProxiedSlotIsReused: an address does not outlive its connection.
func TestProxiedSlotIsReused(t *testing.T) {
	s := start(t, func(o *Options) { o.Proxy.Mode, o.Loops = ProxyOptional, 1 })
	nc, _ := connectRaw(t, s, lineV1+upgradeRequest("/v1/connect?device=d1"))
	nc.Close()
	eventually(t, "it is gone", func() bool { return s.pollerConns() == 0 })
	nc, _ = connectRaw(t, s, upgradeRequest("/v1/connect?device=d2"))
	if got := addressOf(t, s, "d2"); got != nc.LocalAddr().String() {
		t.Errorf("connected from %s, want %s", got, nc.LocalAddr())
	}
}

func TestProxiedRefusals(t *testing.T) {
	get := "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, tt := range []struct {
		mode       ProxyMode
		from, send string
		want       string
	}{
		{ProxyRequired, "", get, "HTTP/1.1 400 "},
		{ProxyRequired, "192.0.2.0/24", lineV1 + get, "HTTP/1.1 403 "},
		{ProxyRequired, "192.0.2.0/24", get, "HTTP/1.1 403 "},
		{ProxyOptional, "192.0.2.0/24", lineV1 + get, "HTTP/1.1 403 "},
		{ProxyOptional, "192.0.2.0/24", get, "HTTP/1.1 200 "},
		{ProxyOptional, "", "PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n" + get, "HTTP/1.1 400 "},
		{ProxyOptional, "", "PROXY TCP4 1.2.3.4 4.5.6.7 1 2\n" + get, "HTTP/1.1 400 "},
		{ProxyOptional, "", lineV1 + lineV1 + get, "HTTP/1.1 405 "},
		{ProxyOff, "", lineV1 + get, "HTTP/1.1 405 "},
		{ProxyOff, "", proxyV2 + get, "HTTP/1.1 400 "},
		{ProxyRequired, "", lineV1 + get, "HTTP/1.1 200 "},
		{ProxyRequired, "", localV2 + get, "HTTP/1.1 200 "},
	} {
		if got := exchange(t, behindProxy(t, tt.mode, tt.from), tt.send); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%v from %q: %q is answered %q, want %q", tt.mode, tt.from, tt.send, got, tt.want)
		}
	}
}

// TestProxiedTimeout: a header that never ends is given no more time than a request.
func TestProxiedTimeout(t *testing.T) {
	s := start(t, func(o *Options) {
		o.Proxy.Mode = ProxyRequired
		o.timing = defaultTiming
		o.timing.upgrade = 200 * time.Millisecond
	})
	if got := exchange(t, s, lineV1[:20]); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("%q", got)
	}
}

func TestParseProxies(t *testing.T) {
	got, err := ParseProxies("10.1.2.3/8, 192.0.2.7,2001:db8::/32,::ffff:192.0.2.9")
	if err != nil || fmt.Sprint(got) != "[10.0.0.0/8 192.0.2.7/32 2001:db8::/32 192.0.2.9/32]" {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "10.0.0.0/33", "proxy.example", "10.0.0.1,", "fe80::1%eth0"} {
		if got, err := ParseProxies(bad); err == nil || !strings.Contains(err.Error(), "proxy-from") {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
	p := Proxy{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if !p.believes(netip.MustParseAddr("10.9.9.9")) || p.believes(netip.MustParseAddr("127.0.0.1")) || p.believes(netip.Addr{}) {
		t.Error("believes the wrong ones")
	}
	for _, m := range []ProxyMode{ProxyOff, ProxyOptional, ProxyRequired} {
		if got, err := ParseProxyMode(m.String()); got != m || err != nil {
			t.Errorf("%v is read as %v, %v", m, got, err)
		}
	}
	for _, bad := range [][2]string{{"on", ""}, {"off", "10.0.0.0/8"}, {"required", "x"}} {
		if p, err := ParseProxy(bad[0], bad[1]); err == nil {
			t.Errorf("%q is read as %v", bad, p)
		}
	}
}
