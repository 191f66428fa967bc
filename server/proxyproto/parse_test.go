package proxyproto

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// v2 makes a header of version 2 out of its parts.
func v2(command, family byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	b := append([]byte(signature), 0x20|command, family)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// tlv makes an extension.
func tlv(kind byte, value string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value))), value...)
}

// withChecksum makes a header right whose last extension is a checksum.
func withChecksum(header []byte) []byte {
	binary.BigEndian.PutUint32(header[len(header)-4:], checksum(header, len(header)-4))
	return header
}

var (
	tcp4 = []byte{192, 168, 0, 1, 192, 168, 0, 11, 0xdc, 0x04, 0x01, 0xbb}
	tcp6 = []byte("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xdc\x04\x01\xbb")
)

// vectors are the examples and the rules of the specification.
var vectors = []struct {
	name  string
	in    string
	local bool
	from  string // empty: none
	to    string
}{
	// 2.1, the line before an HTTP request.
	{"2.1 example", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", false, "192.168.0.1:56324", "192.168.0.11:443"},
	// 2.1, the longest lines.
	{"2.1 longest TCP4", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", false, "255.255.255.255:65535", "255.255.255.255:65535"},
	{"2.1 longest TCP6", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", false,
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"2.1 shortest unknown", "PROXY UNKNOWN\r\n", false, "", ""},
	{"2.1 longest unknown", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", false, "", ""},
	{"2.1 unknown with anything", "PROXY UNKNOWN \x00\xff  \r\n", false, "", ""},
	{"short TCP6", "PROXY TCP6 ::1 ::ffff:10.0.0.7 0 1\r\n", false, "[::1]:0", "[::ffff:10.0.0.7]:1"},

	// 2.2, commands and families.
	{"2.2 local", string(v2(0, 0)), true, "", ""},
	{"2.2 local with a family and addresses", string(v2(0, 0x11, tcp4)), true, "", ""},
	{"2.2 local with what no family has", string(v2(0, 0xff, []byte("xyz"))), true, "", ""},
	{"2.2 unspecified", string(v2(1, 0)), false, "", ""},
	{"2.2 unspecified with bytes", string(v2(1, 0, []byte("12345"))), false, "", ""},
	{"2.2 TCP over IPv4", string(v2(1, 0x11, tcp4)), false, "192.168.0.1:56324", "192.168.0.11:443"},
	{"2.2 UDP over IPv4", string(v2(1, 0x12, tcp4)), false, "192.168.0.1:56324", "192.168.0.11:443"},
	{"2.2 TCP over IPv6", string(v2(1, 0x21, tcp6)), false, "[2001:db8::1]:56324", "[2001:db8::2]:443"},
	{"2.2 UDP over IPv6", string(v2(1, 0x22, tcp6)), false, "[2001:db8::1]:56324", "[2001:db8::2]:443"},
	{"2.2 UNIX stream", string(v2(1, 0x31, make([]byte, 216))), false, "", ""},
	{"2.2 UNIX datagram", string(v2(1, 0x32, make([]byte, 216))), false, "", ""},
	{"2.2 IPv4 without a transport", string(v2(1, 0x10, tcp4)), false, "", ""},

	// 2.2, extensions.
	{"2.2.4 padding", string(v2(1, 0x11, tcp4, tlv(4, ""), tlv(4, "abc"))), false, "192.168.0.1:56324", "192.168.0.11:443"},
	{"2.2.6 TLS", string(v2(1, 0x21, tcp6, tlv(0x20, "\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"))), false, "[2001:db8::1]:56324", "[2001:db8::2]:443"},
	{"2.2.8 reserved", string(v2(1, 0x11, tcp4, tlv(0xf8, "x"), tlv(0xe0, ""))), false, "192.168.0.1:56324", "192.168.0.11:443"},
	{"2.2.3 checksum", string(withChecksum(v2(1, 0x11, tcp4, tlv(1, "h2"), tlv(3, "0000")))), false, "192.168.0.1:56324", "192.168.0.11:443"},
	{"as long as may be", string(v2(1, 0x11, tcp4, tlv(4, strings.Repeat("x", MaxV2-fixedV2-12-tlvHead)))), false, "192.168.0.1:56324", "192.168.0.11:443"},
}

// TestVectors: each is read whole, whatever follows, and is short in all its parts.
func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			for _, behind := range []string{"", "GET / HTTP/1.1\r\n", "\r\n", "PROXY TCP4 "} {
				h, n, err := Parse([]byte(v.in + behind))
				if err != nil || n != len(v.in) {
					t.Fatalf("n = %d of %d, %v", n, len(v.in), err)
				}
				version := uint8(2)
				if v.in[0] == 'P' {
					version = 1
				}
				if h.Version != version || h.Local != v.local || text(h.Source) != v.from || text(h.Destination) != v.to {
					t.Errorf("got %+v", h)
				}
			}
			for i := range v.in {
				if h, n, err := Parse([]byte(v.in[:i])); err != ErrShort || n != 0 || h != (Header{}) {
					t.Fatalf("its first %d bytes: %+v, %d, %v", i, h, n, err)
				}
			}
		})
	}
}

func text(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func TestRefused(t *testing.T) {
	wrongSum := withChecksum(v2(1, 0x11, tcp4, tlv(3, "0000")))
	wrongSum[fixedV2]++ // the address is not what was summed up
	for _, tt := range []struct {
		in   string
		want error
	}{
		{"GET /v1/connect HTTP/1.1\r\n", ErrNone},
		{"\x16\x03\x01\x02\x00", ErrNone}, // TLS
		{"PUT", ErrNone},
		{"PROXYTCP4", ErrNone},
		{"proxy TCP4 ", ErrNone},
		{"\r\n\r\n\x00\r\nQUIT\r", ErrNone},

		{"PROXY \r\n", ErrV1Family},
		{"PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n", ErrV1Family},
		{"PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n", ErrV1Family},
		{"PROXY UNKNOWNX\r\n", ErrV1Family},
		{"PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n", ErrV1Family},
		{"PROXY TCP4\r\n", ErrV1Fields},
		{"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", ErrV1Fields},
		{"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n", ErrV1Fields},
		{"PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", ErrV1Fields},
		{"PROXY TCP4 1.1.1.1\t2.2.2.2 1 2\r\n", ErrV1Fields},
		{"PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n", ErrV1Address},
		{"PROXY TCP4 1.1.1.1.1 2.2.2.2 1 2\r\n", ErrV1Address},
		{"PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n", ErrV1Address},
		{"PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n", ErrV1Address},
		{"PROXY TCP4 ::1 ::1 1 2\r\n", ErrV1Address},
		{"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", ErrV1Address},
		{"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", ErrV1Address},
		{"PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n", ErrV1Port},
		{"PROXY TCP4 1.1.1.1 2.2.2.2 1 02\r\n", ErrV1Port},
		{"PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n", ErrV1Port},
		{"PROXY TCP4 1.1.1.1 2.2.2.2 1 999999999999\r\n", ErrV1Port},
		{"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", ErrV1End},
		{"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rGET", ErrV1End},
		{"PROXY UNKNOWN a\nb\r\n", ErrV1End},
		{"PROXY UNKNOWN " + strings.Repeat("x", MaxV1-14), ErrV1TooLong},
		{"PROXY UNKNOWN " + strings.Repeat("x", MaxV1-15) + "\r\n", ErrV1TooLong},

		{signature + "\x11", ErrV2Version},
		{signature + "\x30\x11\x00\x00", ErrV2Version},
		{string(v2(2, 0x11, tcp4)), ErrV2Command},
		{string(v2(15, 0)), ErrV2Command},
		{string(v2(1, 0x41, tcp4)), ErrV2Family},
		{string(v2(1, 0x13, tcp4)), ErrV2Family},
		{string(v2(1, 0x11, tcp4[:11])), ErrV2Length},
		{string(v2(1, 0x21, tcp4)), ErrV2Length},
		{string(v2(1, 0x31, make([]byte, 215))), ErrV2Length},
		{string(v2(1, 0x11, make([]byte, MaxV2-fixedV2+1))), ErrV2TooLong},
		{signature + "\x20\x00\xff\xff", ErrV2TooLong},
		{string(v2(1, 0x11, tcp4, []byte{4, 0})), ErrV2TLV},
		{string(v2(1, 0x11, tcp4, []byte{4, 0, 1})), ErrV2TLV},
		{string(v2(1, 0x11, tcp4, tlv(3, "000"))), ErrV2TLV},
		{string(wrongSum), ErrV2Checksum},
	} {
		if h, n, err := Parse([]byte(tt.in)); err != tt.want || n != 0 || h != (Header{}) {
			t.Errorf("%q: %+v, %d, %v; want %v", tt.in, h, n, err, tt.want)
		}
	}
}

// FuzzParse: the length is right, what is read does not depend on how it came, more
// bytes change no verdict, and addresses are those of package netip.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.in))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add([]byte("PROXY TCP6 1::2:3.4.5.6 1:2:3:4:5:6:7:: 1 2\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, n, err := Parse(in)
		switch {
		case (err == nil) != (n > 0), n > len(in), n > MaxV2, err != nil && h != Header{}:
			t.Fatalf("%q: %+v, %d, %v", in, h, n, err)
		case err == nil:
			if again, k, err := Parse(in[:n]); again != h || k != n || err != nil {
				t.Fatalf("%q: alone %+v, %d, %v; else %+v, %d", in, again, k, err, h, n)
			}
			if h.Version == 1 && h.Source.IsValid() {
				checkLine(t, in[:n-2], h)
			}
		case err == ErrShort:
			if len(in) >= MaxV2 {
				t.Fatalf("%d bytes are short", len(in))
			}
			return
		}
		if h2, k, err2 := Parse(append(in[:len(in):len(in)], "more\r\n"...)); h2 != h || k != n || err2 != err {
			t.Fatalf("%q: %+v, %d, %v; and more: %+v, %d, %v", in, h, n, err, h2, k, err2)
		}
		for i := range min(len(in), n) {
			if _, _, err := Parse(in[:i]); err != ErrShort {
				t.Fatalf("%q: of %d bytes: %v", in, i, err)
			}
		}
	})
}

// checkLine compares a line's addresses with what the slow twin reads.
func checkLine(t *testing.T, line []byte, h Header) {
	f := strings.Split(string(line), " ")
	if len(f) != 6 {
		t.Fatalf("%q has %d fields", line, len(f))
	}
	for i, got := range []netip.AddrPort{h.Source, h.Destination} {
		want, err := netip.ParseAddr(f[2+i])
		if err != nil || want != got.Addr() || want.Is4() != (f[1] == "TCP4") {
			t.Fatalf("%q: %v, want %v, %v", line, got, want, err)
		}
	}
}

// FuzzAddress compares both readers of addresses with package netip's.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::", "::1", "1::", "1::2", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8",
		"1:2:3:4:5:6:1.2.3.4", "::1.2.3.4", "1::1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::ffff:1.2.3.256", ":::", "1:::2", "::1::", "1:", ":1",
		"12345::", "g::", "1:2:3:4:5:6:7:8:9", "::1:2:3:4:5:6:7:8", "1.2.3", "1.2.3.4.", "01.2.3.4", "", "fe80::1%1", "FFFF:aBcD::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddr(s)
		ok := err == nil && want.Zone() == ""
		if got, isOK := parseIPv4([]byte(s)); isOK != (ok && want.Is4()) || isOK && got != want {
			t.Errorf("%q as IPv4: %v %v, want %v %v", s, got, isOK, want, err)
		}
		if got, isOK := parseIPv6([]byte(s)); isOK != (ok && want.Is6()) || isOK && got != want {
			t.Errorf("%q as IPv6: %v %v, want %v %v", s, got, isOK, want, err)
		}
	})
}
