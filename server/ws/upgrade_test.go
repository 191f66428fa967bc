package ws

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestCheckUpgrade changes one thing in a good request at a time.
func TestCheckUpgrade(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		err            *HandshakeError
	}{
		{"good", "", "", nil},
		{"4.2.1 case of header names and tokens", "Upgrade: websocket\r\nConnection: keep-alive, Upgrade", "UPGRADE: WebSocket\r\nconnection: UPGRADE", nil},
		{"4.2.1 Connection in several headers", "Connection: keep-alive, Upgrade", "Connection: keep-alive\r\nConnection: foo, upgrade ,", nil},
		{"4.2.1 Upgrade is a list", "Upgrade: websocket", "Upgrade: h2c, websocket", nil},
		{"4.2.1 no protocols or extensions", "Sec-WebSocket-Protocol: roost.v1.bin, roost.v1.json\r\n", "", nil},
		{"HTTP/1.2", "HTTP/1.1", "HTTP/1.2", nil},
		{"Content-Length of 0", "\r\nHost", "\r\nContent-Length: 00\r\nHost", nil},
		{"RFC 9112 3.2.2 absolute form", "GET /v1", "GET https://node7.example.com:8443/v1", nil},
		{"IPv6 host", "node7.example.com:8443", "[::1]:8443", nil},
		{"key with spare bits", "ZQ==", "Zf==", nil},
		{"no Upgrade", "Upgrade: websocket\r\n", "", ErrNotUpgrade},
		{"other Upgrade", "Upgrade: websocket", "Upgrade: h2c", ErrNotUpgrade},
		{"Upgrade with a tail", "Upgrade: websocket", "Upgrade: websocket2", ErrNotUpgrade},
		{"4.2.1 HTTP/1.0", "HTTP/1.1", "HTTP/1.0", ErrHTTP10},
		{"no Connection", "Connection: keep-alive, Upgrade\r\n", "", ErrConnection},
		{"Connection without upgrade", "keep-alive, Upgrade", "keep-alive", ErrConnection},
		{"Connection with a longer token", "keep-alive, Upgrade", "upgraded", ErrConnection},
		{"no Host", "Host: node7.example.com:8443\r\n", "", ErrHost},
		{"empty Host", "Host: node7.example.com:8443", "Host:", ErrHost},
		{"two Hosts", "\r\nUser-Agent", "\r\nHost: other\r\nUser-Agent", ErrHost},
		{"Host with a path", "node7.example.com:8443", "node7/x", ErrHost},
		{"Host with a user", "node7.example.com:8443", "me@node7", ErrHost},
		{"Content-Length", "\r\nHost", "\r\nContent-Length: 10\r\nHost", ErrBody},
		{"Transfer-Encoding", "\r\nHost", "\r\nTransfer-Encoding: identity\r\nHost", ErrBody},
		{"4.4 no version", "Sec-WebSocket-Version: 13\r\n", "", ErrVersion},
		{"4.4 version 8", "Version: 13", "Version: 8", ErrVersion},
		{"4.4 version list", "Version: 13", "Version: 13, 8", ErrVersion},
		{"two versions", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13", ErrVersion},
		{"no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", ErrKey},
		{"two keys", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key", ErrKey},
		{"short key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", ErrKey},
		{"key of 17 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWU=", ErrKey},
		{"key that is not base64", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j*Q==", ErrKey},
		{"key in base64url", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j_Q==", ErrKey},
		{"two Origins", "\r\nOrigin", "\r\nOrigin: https://evil\r\nOrigin", ErrRepeated},
		{"two Authorizations", "\r\nAuthorization", "\r\nAuthorization: Bearer evil\r\nAuthorization", ErrRepeated},
		{"protocol with a slash", "roost.v1.bin,", "roost/v1,", ErrProtocolToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := strings.Replace(good, c.old, c.new, 1)
			if c.old != "" && in == good {
				t.Fatal("the case changes nothing")
			}
			var req Request
			if n, err := ParseRequest([]byte(in), &req); err != nil || n != len(in) {
				t.Fatal(n, err)
			}
			if e := CheckUpgrade(&req); e != c.err {
				t.Errorf("got %v, want %v", e, c.err)
			}
		})
	}
}

// TestAppendUpgrade reads the answer with net/http.
func TestAppendUpgrade(t *testing.T) {
	var req Request
	if _, err := ParseRequest([]byte(good), &req); err != nil {
		t.Fatal(err)
	}
	d, _ := Negotiate([][]byte{[]byte("permessage-deflate; server_max_window_bits=10")})
	for _, c := range []struct {
		proto, ext string
		d          *Deflate
	}{
		{"", "", nil},
		{"roost.v1.bin", "", &Deflate{}},
		{"roost.v1.bin", DeflateOffer + "; server_max_window_bits=10", &d},
	} {
		out := AppendUpgrade(nil, &req, c.proto, c.d)
		r := bufio.NewReader(strings.NewReader(string(out) + "\x81\x00"))
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := resp.Header
		if resp.StatusCode != 101 || h.Get("Upgrade") != "websocket" || h.Get("Connection") != "Upgrade" || h.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
			h.Get("Sec-WebSocket-Protocol") != c.proto || h.Get("Sec-WebSocket-Extensions") != c.ext {
			t.Errorf("%q", out)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "\x81\x00" {
			t.Errorf("behind the head: %q", rest)
		}
	}
}

// TestRefusals reads the refusals with net/http.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		e     *HandshakeError
		field string
		value string
	}{
		{ErrVersion, "Sec-WebSocket-Version", "13"},
		{ErrNotUpgrade, "Upgrade", "websocket"},
		{ErrMethod, "Allow", "GET"},
		{ErrKey, "Retry-After", ""},
		{&HandshakeError{Status: 503, Text: "busy", RetryAfter: 7}, "Retry-After", "7"},
		{&HandshakeError{Status: 401, Text: "a \"quoted\" \\ text\nwith a line"}, "WWW-Authenticate", "Bearer"},
		{&HandshakeError{Status: 418, Text: ""}, "Retry-After", ""},
	} {
		out := c.e.AppendResponse([]byte("HTTP")[:0])
		r := bufio.NewReader(strings.NewReader(string(out) + "rest"))
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var problem struct {
			Title, Detail string
			Status        int
		}
		if err := json.Unmarshal(body, &problem); err != nil {
			t.Fatalf("%v: %q", err, body)
		}
		if resp.StatusCode != c.e.Status || problem.Status != c.e.Status || problem.Detail != c.e.Text || problem.Title != StatusText(c.e.Status) {
			t.Errorf("%q", out)
		}
		if resp.Header.Get(c.field) != c.value || !resp.Close || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q", out)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "rest" {
			t.Errorf("Content-Length is wrong: %q is left", rest)
		}
	}
}

func TestAppendResponse(t *testing.T) {
	for _, end := range []bool{false, true} {
		out := AppendResponse(nil, 200, "text/plain", []byte("ok\n"), end)
		r := bufio.NewReader(strings.NewReader(string(out) + "rest"))
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if string(body) != "ok\n" || resp.Close != end || resp.StatusCode != 200 {
			t.Errorf("%q", out)
		}
	}
}

func TestStatusText(t *testing.T) {
	for _, s := range []int{200, 400, 401, 403, 404, 405, 408, 409, 426, 429, 431, 500, 503, 505} {
		if StatusText(s) != http.StatusText(s) {
			t.Errorf("%d: %q", s, StatusText(s))
		}
	}
	for _, s := range []int{204, 302, 418, 599} {
		if StatusText(s) == "" {
			t.Errorf("%d has no text", s)
		}
	}
}
