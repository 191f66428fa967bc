package ws

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// good is a request that passes all checks; cases change one thing in it.
const good = "GET /v1/connect?device=d1&hop=2 HTTP/1.1\r\n" +
	"Host: node7.example.com:8443\r\n" +
	"User-Agent: probe/1\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Origin: https://example.com\r\n" +
	"Authorization: Bearer abc\r\n" +
	"Sec-WebSocket-Protocol: roost.v1.bin, roost.v1.json\r\n" +
	"Sec-WebSocket-Protocol: roost.token.eyJ_-\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate\r\n" +
	"X-Forwarded-For: 10.0.0.1\r\n" +
	"\r\n"

// parseEveryWay parses in one go, as a growing buffer from 0 and as a growing
// buffer with the position given back, and demands one verdict: all accept, or
// all refuse. at is the number of bytes at which the growing buffer was refused.
func parseEveryWay(t testing.TB, in string) (req *Request, n, at int, err error) {
	t.Helper()
	req = new(Request)
	n, err = ParseRequest([]byte(in), req)
	var grown, resumed Request
	from := 0
	for i := range len(in) + 1 {
		g, gerr := ParseRequest([]byte(in[:i]), &grown)
		r, next, rerr := ParseRequestFrom([]byte(in[:i]), from, &resumed)
		if g != r || gerr != rerr {
			t.Fatalf("%d bytes of %q: from the begin %d, %v; resumed %d, %v", i, in, g, gerr, r, rerr)
		}
		if gerr == ErrShort {
			if next < from || next > i {
				t.Fatalf("next = %d after %d", next, from)
			}
			from = next
			continue
		}
		if (gerr == nil) != (err == nil) || g != n {
			t.Fatalf("%d bytes of %q: %d, %v; whole %d, %v", i, in, g, gerr, n, err)
		}
		return req, n, i, err
	}
	if err != ErrShort {
		t.Fatalf("%q: whole %v, growing for ever short", in, err)
	}
	return req, n, len(in), err
}

func TestParseRequestGood(t *testing.T) {
	req, n, at, err := parseEveryWay(t, good+"\x81\x80frames")
	if err != nil || n != len(good) || at != n {
		t.Fatalf("n=%d of %d, at=%d, %v", n, len(good), at, err)
	}
	got := fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%q|%q|%d|%v", req.Path, req.RawQuery, req.Host, req.Origin, req.Authorization,
		req.UserAgent, req.Key, req.Protocols, req.Extensions, req.Minor, req.IsUpgrade)
	want := `/v1/connect|device=d1&hop=2|node7.example.com:8443|https://example.com|Bearer abc|probe/1|dGhlIHNhbXBsZSBub25jZQ==|` +
		`["roost.v1.bin, roost.v1.json" "roost.token.eyJ_-"]|["permessage-deflate"]|1|true`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if e := CheckUpgrade(req); e != nil {
		t.Error(e)
	}
	if got := string(req.Get("x-forwarded-for")); got != "10.0.0.1" {
		t.Errorf("Get = %q", got)
	}
	if req.Get("cookie") != nil {
		t.Error("Get invents headers")
	}
	// A reused Request keeps nothing.
	plain := "GET /healthz HTTP/1.0\r\n\r\n"
	if n, err := ParseRequest([]byte(plain), req); err != nil || n != len(plain) {
		t.Fatal(n, err)
	}
	if req.IsUpgrade || req.Host != nil || len(req.Protocols) != 0 || len(req.Extensions) != 0 || req.Key != nil || req.RawQuery != nil || req.Minor != 0 {
		t.Errorf("left over: %+v", req)
	}
}

// TestParseRequestRefuses: what is refused, why and how early. The reader of
// `at` counts in bytes from the begin of the request.
func TestParseRequestRefuses(t *testing.T) {
	const line = "GET / HTTP/1.1\r\n"
	for _, c := range []struct {
		name, in string
		err      *HandshakeError
		at       int // 0: not checked
	}{
		{"not GET", "POST / HTTP/1.1\r\n\r\n", ErrMethod, 1},
		{"not GET but alike", "GEX / HTTP/1.1\r\n\r\n", ErrMethod, 3},
		{"GETS", "GETS / HTTP/1.1\r\n\r\n", ErrMethod, 4},
		{"lower case: methods have case", "get / HTTP/1.1\r\n\r\n", ErrMethod, 1},
		{"TLS", "\x16\x03\x01\x02\x00", ErrNotHTTP, 1},
		{"empty line first", "\r\n" + line + "\r\n", ErrNotHTTP, 1},
		{"no target", "GET  HTTP/1.1\r\n\r\n", ErrTarget, 5},
		{"asterisk form", "GET * HTTP/1.1\r\n\r\n", ErrTarget, 0},
		{"authority form", "GET example.com:80 HTTP/1.1\r\n\r\n", ErrTarget, 0},
		{"absolute form of another scheme", "GET ftp://a/ HTTP/1.1\r\n\r\n", ErrTarget, 0},
		{"absolute form without host", "GET http:///x HTTP/1.1\r\n\r\n", ErrTarget, 0},
		{"fragment", "GET /a#b HTTP/1.1\r\n\r\n", ErrTarget, 7},
		{"byte above ASCII in the target", "GET /\xC3\xA4 HTTP/1.1\r\n\r\n", ErrTarget, 6},
		{"NUL in the target", "GET /\x00 HTTP/1.1\r\n\r\n", ErrTarget, 6},
		{"HTTP/0.9", "GET /\r\n\r\n", ErrRequestLine, 6},
		{"two spaces", "GET /  HTTP/1.1\r\n\r\n", ErrRequestLine, 7},
		{"rubbish for a version", "GET / HTTQ/1.1\r\n\r\n", ErrRequestLine, 10},
		{"version without end", "GET / HTTP/1.10\r\n\r\n", ErrRequestLine, 15},
		{"version with letters", "GET / HTTP/1.x\r\n\r\n", ErrRequestLine, 15},
		{"HTTP/2.0", "GET / HTTP/2.0\r\n\r\n", ErrHTTPVersion, 15},
		{"space behind the version", "GET / HTTP/1.1 \r\n\r\n", ErrRequestLine, 15},
		{"bare LF in the first line", "GET / HTTP/1.1\nHost: a\r\n\r\n", ErrBareLF, 15},
		{"bare LF in a header", line + "Host: a\n\r\n", ErrBareLF, 24},
		{"bare LF in a header, head whole", line + "Host: a\nB: c\r\n\r\n", ErrBareLF, 24},
		{"bare LF in the first line, head whole", "GET / HTTP/1.1\nB: c\r\n\r\n", ErrBareLF, 15},
		{"method alone", "GET\r\n\r\n", ErrMethod, 4},
		{"bare LF for the empty line", line + "Host: a\r\n\n", ErrBareLF, 26},
		{"bare CR in a value", line + "Host: a\rb\r\n\r\n", ErrHeaderValue, 25},
		{"two CR", line + "Host: a\r\r\n\r\n", ErrHeaderValue, 25},
		{"NUL in a value", line + "A: \x00\r\n\r\n", ErrHeaderValue, 20},
		{"DEL in a value", line + "A: \x7F\r\n\r\n", ErrHeaderValue, 20},
		{"obs-fold", line + "A: b\r\n c\r\n\r\n", ErrHeaderFolded, 23},
		{"obs-fold by a tab", line + "A: b\r\n\tc\r\n\r\n", ErrHeaderFolded, 23},
		{"fold before any header", line + " A: b\r\n\r\n", ErrHeaderFolded, 17},
		{"space before the colon", line + "A : b\r\n\r\n", ErrHeaderName, 18},
		{"empty name", line + ": b\r\n\r\n", ErrHeaderName, 17},
		{"name is no token", line + "A(: b\r\n\r\n", ErrHeaderName, 18},
		{"name above ASCII", line + "\xC3: b\r\n\r\n", ErrHeaderName, 17},
		{"no colon", line + "Host\r\n\r\n", ErrHeaderColon, 0},
		{"Content-Length is no number", line + "Content-Length: +1\r\n\r\n", ErrContentLength, 0},
		{"Content-Length is empty", line + "Content-Length:\r\n\r\n", ErrContentLength, 0},
		{"head too big", line + "A: " + strings.Repeat("x", MaxHead) + "\r\n\r\n", ErrHeadTooBig, MaxHead},
		{"too many protocols", line + strings.Repeat("Sec-WebSocket-Protocol: a\r\n", 9) + "\r\n", ErrHeaderRepeat, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, n, at, err := parseEveryWay(t, c.in)
			if err != error(c.err) || n != 0 {
				t.Fatalf("n=%d, %v; want %v", n, err, c.err)
			}
			if c.at != 0 && at != c.at {
				t.Errorf("refused at byte %d, want %d", at, c.at)
			}
		})
	}
}

func TestParseRequestAccepts(t *testing.T) {
	for _, c := range []struct{ name, in, path, query, host string }{
		{"HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", "/healthz", "", ""},
		{"empty query", "GET /a? HTTP/1.1\r\n\r\n", "/a", "", ""},
		{"two question marks", "GET /a?b?c HTTP/1.1\r\n\r\n", "/a", "b?c", ""},
		{"absolute form", "GET http://h.example:80/a?b HTTP/1.1\r\nHost: other\r\n\r\n", "/a", "b", "h.example:80"},
		{"absolute form of a WebSocket", "GET WSS://h.example HTTP/1.1\r\nHost: other\r\n\r\n", "/", "", "h.example"},
		{"absolute form, query only", "GET ws://h.example?x HTTP/1.1\r\n\r\n", "/", "x", "h.example"},
		{"URL inside a path", "GET /http://x/ HTTP/1.1\r\nHost: a\r\n\r\n", "/http://x/", "", "a"},
		{"white space around a value", "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n", "/", "", "a"},
		{"no white space", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", "/", "", "a"},
		{"first of two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\n\r\n", "/", "", "a"},
		{"colon in a value, bytes above ASCII", "GET / HTTP/1.1\r\nHost: a\r\nX: a:b\xFF\r\n\r\n", "/", "", "a"},
		{"empty value", "GET / HTTP/1.1\r\nX:\r\nHost: a\r\n\r\n", "/", "", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, n, _, err := parseEveryWay(t, c.in)
			if err != nil || n != len(c.in) {
				t.Fatal(n, err)
			}
			if string(req.Path) != c.path || string(req.RawQuery) != c.query || string(req.Host) != c.host {
				t.Errorf("%q %q %q", req.Path, req.RawQuery, req.Host)
			}
		})
	}
}

// TestParseRequestLongest: a head of exactly MaxHead bytes passes, one more
// does not, wherever the buffer ends.
func TestParseRequestLongest(t *testing.T) {
	head := func(n int) []byte {
		const frame = "GET / HTTP/1.1\r\nA: \r\n\r\n"
		return []byte("GET / HTTP/1.1\r\nA: " + strings.Repeat("x", n-len(frame)) + "\r\n\r\n")
	}
	var req Request
	if n, err := ParseRequest(head(MaxHead), &req); n != MaxHead || err != nil {
		t.Errorf("MaxHead: %d, %v", n, err)
	}
	if _, err := ParseRequest(head(MaxHead)[:MaxHead-1], &req); err != ErrShort {
		t.Errorf("MaxHead cut: %v", err)
	}
	if _, err := ParseRequest(head(MaxHead+1), &req); err != error(ErrHeadTooBig) {
		t.Errorf("MaxHead+1: %v", err)
	}
}

// TestParseRequestLeavesInput: parsing writes nothing.
func TestParseRequestLeavesInput(t *testing.T) {
	in := []byte(good)
	ParseRequest(in, new(Request))
	if !bytes.Equal(in, []byte(good)) {
		t.Error("input changed")
	}
}

func TestHasBody(t *testing.T) {
	for field, want := range map[string]bool{"": false, "Content-Length: 0\r\n": false, "Content-Length: 10\r\n": true, "Transfer-Encoding: chunked\r\n": true} {
		var req Request
		if _, err := ParseRequest([]byte("GET / HTTP/1.1\r\n"+field+"\r\n"), &req); err != nil || req.HasBody() != want {
			t.Errorf("%q: %v, %v", field, req.HasBody(), err)
		}
	}
}

func TestTokens(t *testing.T) {
	var got []string
	for tok := NewTokens([][]byte{[]byte(" a ,, b"), nil, []byte(",\t"), []byte("C,")}); tok.Next(); {
		got = append(got, string(tok.Token()))
	}
	if strings.Join(got, "|") != "a|b|C" {
		t.Errorf("got %q", got)
	}
}

func TestSelectProtocol(t *testing.T) {
	req := &Request{Protocols: [][]byte{[]byte("A, b"), []byte("c")}}
	for _, c := range []struct {
		ours []string
		want string
		ok   bool
	}{
		{[]string{"c", "b"}, "b", true}, // the client's order counts
		{[]string{"a"}, "", false},      // names have case
		{nil, "", false},
	} {
		if got, ok := req.SelectProtocol(c.ours...); got != c.want || ok != c.ok {
			t.Errorf("%q: %q, %v", c.ours, got, ok)
		}
	}
}

func TestQueryValue(t *testing.T) {
	for _, c := range []struct {
		query, key, want string
		found            bool
		err              error
	}{
		{"device=d1&hop=2", "hop", "2", true, nil},
		{"device=d1&hop=2", "device", "d1", true, nil},
		{"a=1&a=2", "a", "1", true, nil},
		{"a=b%20c+d%2B%C3%A4", "a", "b c d+ä", true, nil},
		{"a=b=c", "a", "b=c", true, nil},
		{"a", "a", "", true, nil},
		{"a=", "a", "", true, nil},
		{"&&a=1", "a", "1", true, nil},
		{"%61%62=1", "ab", "1", true, nil},
		{"a%zz=1&a=2", "a", "2", true, nil},
		{"ab=1", "a", "", false, nil},
		{"a=1", "ab", "", false, nil},
		{"A=1", "a", "", false, nil},
		{"", "a", "", false, nil},
		{"=1", "", "1", true, nil},
		{"a=%", "a", "", true, ErrQueryEscape},
		{"a=%4", "a", "", true, ErrQueryEscape},
		{"a=x%4g", "a", "", true, ErrQueryEscape},
		{"b=%&a=1", "a", "1", true, nil},
	} {
		out, found, err := QueryValue([]byte(c.query), c.key, []byte("dst:"))
		if string(out) != "dst:"+c.want || found != c.found || err != c.err {
			t.Errorf("%q %q: %q, %v, %v", c.query, c.key, out, found, err)
		}
	}
}

// TestVersionRepeatedOften: 257 version headers are not one.
func TestVersionRepeatedOften(t *testing.T) {
	in := strings.Replace(good, "Sec-WebSocket-Version: 13\r\n", strings.Repeat("Sec-WebSocket-Version:\r\n", 256)+"Sec-WebSocket-Version: 13\r\n", 1)
	var req Request
	if _, err := ParseRequest([]byte(in), &req); err != nil {
		t.Fatal(err)
	}
	if e := CheckUpgrade(&req); e != ErrVersion {
		t.Errorf("got %v", e)
	}
}
