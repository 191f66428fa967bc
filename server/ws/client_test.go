package ws

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func clientRequest() *ClientRequest {
	return &ClientRequest{
		Host: "example.com", Path: "/v1/connect?a=b", Key: []byte("dGhlIHNhbXBsZSBub25jZQ=="),
		Protocols: []string{"roost.v1.bin", "roost.v1.json"}, Deflate: true,
		Header: []Field{{"Authorization", "Bearer x"}, {"X-Empty", ""}},
	}
}

func TestAppendKey(t *testing.T) {
	if got := string(AppendKey(nil, [16]byte([]byte("the sample nonce")))); got != "dGhlIHNhbXBsZSBub25jZQ==" { // RFC 6455, 1.3
		t.Errorf("got %s", got)
	}
}

// TestAppendRequest reads the request with net/http.
func TestAppendRequest(t *testing.T) {
	out, err := AppendRequest(nil, clientRequest())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(out))))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-Websocket-Protocol": "roost.v1.bin, roost.v1.json", "Sec-Websocket-Extensions": DeflateOffer, "Authorization": "Bearer x", "X-Empty": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if r.Host != "example.com" || r.RequestURI != "/v1/connect?a=b" || r.Method != "GET" || len(r.Header) != 8 {
		t.Errorf("%q", out)
	}
}

// TestAppendRequestRefuses: nothing that would end a line early is written.
func TestAppendRequestRefuses(t *testing.T) {
	for name, change := range map[string]func(*ClientRequest){
		"no host":         func(r *ClientRequest) { r.Host = "" },
		"host line":       func(r *ClientRequest) { r.Host = "a\r\nX: y" },
		"host space":      func(r *ClientRequest) { r.Host = "a b" },
		"path line":       func(r *ClientRequest) { r.Path = "/a\r\n" },
		"path space":      func(r *ClientRequest) { r.Path = "/a b" },
		"path relative":   func(r *ClientRequest) { r.Path = "a" },
		"path fragment":   func(r *ClientRequest) { r.Path = "/a#b" },
		"key":             func(r *ClientRequest) { r.Key = r.Key[:23] },
		"no key":          func(r *ClientRequest) { r.Key = nil },
		"protocol":        func(r *ClientRequest) { r.Protocols = []string{"a,b"} },
		"empty protocol":  func(r *ClientRequest) { r.Protocols = []string{""} },
		"header name":     func(r *ClientRequest) { r.Header = []Field{{"A B", "x"}} },
		"no header name":  func(r *ClientRequest) { r.Header = []Field{{"", "x"}} },
		"header injected": func(r *ClientRequest) { r.Header = []Field{{"A", "x\r\nB: y"}} },
	} {
		r := clientRequest()
		change(r)
		if out, err := AppendRequest([]byte("x"), r); !errors.Is(err, ErrClientRequest) || string(out) != "x" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	r := clientRequest()
	r.Path = ""
	if out, err := AppendRequest(nil, r); err != nil || !strings.HasPrefix(string(out), "GET / HTTP/1.1\r\n") {
		t.Errorf("empty path: %q, %v", out, err)
	}
}

const goodResponse = "HTTP/1.1 101 Switching Protocols\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
	"Sec-WebSocket-Protocol: roost.v1.json\r\n" +
	"Sec-WebSocket-Extensions: " + DeflateOffer + "\r\n" +
	"\r\n"

// responseEveryWay parses whole and as a growing buffer.
func responseEveryWay(t testing.TB, in string, req *ClientRequest) (resp *Response, n int, err error) {
	t.Helper()
	resp = new(Response)
	n, err = ParseResponse([]byte(in), req, resp)
	var grown Response
	for i := range len(in) + 1 {
		g, gerr := ParseResponse([]byte(in[:i]), req, &grown)
		if gerr == ErrShort {
			continue
		}
		if g != n || (gerr == nil) != (err == nil) || errors.Is(gerr, ErrRefused) != errors.Is(err, ErrRefused) {
			t.Fatalf("%d bytes of %q: %d, %v; whole %d, %v", i, in, g, gerr, n, err)
		}
		return resp, n, err
	}
	if err != ErrShort {
		t.Fatalf("%q: whole %v, growing for ever short", in, err)
	}
	return resp, n, err
}

func TestParseResponse(t *testing.T) {
	const ext = "Sec-WebSocket-Extensions: " + DeflateOffer
	for _, c := range []struct {
		name, old, new string
		err            error
	}{
		{"good", "", "", nil},
		{"no reason", " Switching Protocols", "", nil},
		{"empty reason", "Switching Protocols", "", nil},
		{"case", "Upgrade: websocket\r\nConnection: Upgrade", "upgrade: WebSocket\r\nCONNECTION: x, uPGRADE", nil},
		{"no protocol", "Sec-WebSocket-Protocol: roost.v1.json\r\n", "", nil},
		{"no extension", ext + "\r\n", "", nil},
		{"7.1.1.2 client takeover left open", "; client_no_context_takeover", "", nil},
		{"7.1.2.1 window named unasked", DeflateOffer, DeflateOffer + "; server_max_window_bits=9", nil},
		{"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", ErrNoUpgrade},
		{"HTTP/2", "HTTP/1.1", "HTTP/2", ErrStatusLine},
		{"status of two digits", "101 S", "10 S", ErrStatusLine},
		{"status of four digits", "101 S", "1011 S", ErrStatusLine},
		{"status 99", "101 S", "099 S", ErrStatusLine},
		{"not HTTP", "HTTP", "ICAP", ErrStatusLine},
		{"control byte in the reason", "Switching", "Swit\x01ching", ErrStatusLine},
		{"refused", "101 Switching Protocols", "503 Service Unavailable", ErrRefused},
		{"redirected", "101 Switching Protocols", "302 Found", ErrRefused},
		{"no Upgrade", "Upgrade: websocket\r\n", "", ErrNoUpgrade},
		{"other Upgrade", "Upgrade: websocket", "Upgrade: h2c", ErrNoUpgrade},
		{"no Connection", "Connection: Upgrade\r\n", "", ErrNoUpgrade},
		{"no Accept", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "", ErrAccept},
		{"other Accept", "s3pP", "s3pp", ErrAccept},
		{"two Accepts", "Sec-WebSocket-Accept", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Accept", ErrAccept},
		{"protocol not offered", "roost.v1.json", "roost.v2", ErrProtocol},
		{"protocol with other case", "roost.v1.json", "Roost.v1.json", ErrProtocol},
		{"two protocols in a list", "roost.v1.json", "roost.v1.json, roost.v1.bin", ErrProtocol},
		{"two protocols", "Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: roost.v1.bin\r\nSec-WebSocket-Protocol", ErrProtocol},
		{"extension not offered", "permessage-deflate", "x-foo", ErrExtension},
		{"7.1.1.1 server takeover", "; server_no_context_takeover", "", ErrExtension},
		{"7.1.2.2 client window not offered", DeflateOffer, DeflateOffer + "; client_max_window_bits=10", ErrExtension},
		{"unknown parameter", DeflateOffer, DeflateOffer + "; x", ErrExtension},
		{"twice", DeflateOffer, DeflateOffer + ", " + DeflateOffer, ErrExtension},
		{"bare LF in the first line", "Protocols\r\n", "Protocols\n", ErrBareLF},
		{"bare LF", "Upgrade: websocket\r\n", "Upgrade: websocket\n", ErrBareLF},
		{"fold", "\r\nUpgrade", "\r\n Upgrade", ErrHeaderFolded},
		{"short", "\r\n\r\n", "\r\n", ErrShort},
		{"too big", "\r\n\r\n", "\r\nX: " + strings.Repeat("x", MaxHead) + "\r\n\r\n", ErrHeadTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := strings.Replace(goodResponse, c.old, c.new, 1)
			if c.old != "" && in == goodResponse {
				t.Fatal("the case changes nothing")
			}
			resp, n, err := responseEveryWay(t, in, clientRequest())
			if err != c.err {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if want := len(in); (err == nil || err == ErrRefused) && n != want || err != nil && err != ErrRefused && n != 0 {
				t.Errorf("n = %d of %d", n, want)
			}
			if err == nil && resp.Deflate.On() != strings.Contains(in, "deflate") {
				t.Errorf("Deflate = %v", resp.Deflate)
			}
			if err == nil && resp.Deflate.On() && resp.Deflate.Bits() != 15 {
				t.Errorf("our own window became %d", resp.Deflate.Bits())
			}
		})
	}
}

func TestParseResponseNotOffered(t *testing.T) {
	req := clientRequest()
	req.Deflate = false
	if _, _, err := responseEveryWay(t, goodResponse, req); err != ErrExtension {
		t.Error(err)
	}
	req.Deflate, req.Protocols = true, nil
	if _, _, err := responseEveryWay(t, goodResponse, req); err != ErrProtocol {
		t.Error(err)
	}
}

// TestParseResponseRefused: a refusal tells why, and where its body begins.
func TestParseResponseRefused(t *testing.T) {
	e := &HandshakeError{Status: 503, Text: "busy", RetryAfter: 9}
	in := e.AppendResponse(nil)
	var resp Response
	n, err := ParseResponse(in, clientRequest(), &resp)
	if err != ErrRefused || resp.Status != 503 || string(resp.Get("retry-after")) != "9" || !strings.HasPrefix(string(in[n:]), "{") {
		t.Errorf("n=%d, %v, %+v", n, err, resp)
	}
}
