package ws

import "testing"

// TestHandshakeRoundTrip lets our client and our server agree.
func TestHandshakeRoundTrip(t *testing.T) {
	creq := &ClientRequest{
		Host: "example.com:8080", Path: "/v1/connect?hop=1", Key: []byte("dGhlIHNhbXBsZSBub25jZQ=="),
		Protocols: []string{"roost.v1.bin", "roost.v1.json"}, Deflate: true,
		Header: []Field{{"Authorization", "Bearer x"}, {"Origin", "https://example.com"}},
	}
	wire, err := AppendRequest(nil, creq)
	if err != nil {
		t.Fatal(err)
	}
	var req Request
	n, err := ParseRequest(append(wire, "frame"...), &req)
	if err != nil || n != len(wire) {
		t.Fatalf("ParseRequest: n=%d of %d, %v", n, len(wire), err)
	}
	if e := CheckUpgrade(&req); e != nil {
		t.Fatal(e)
	}
	proto, ok := req.SelectProtocol("roost.v1.json", "roost.v1.bin")
	if !ok || proto != "roost.v1.bin" {
		t.Fatalf("SelectProtocol = %q, %v", proto, ok)
	}
	d, ok := Negotiate(req.Extensions)
	if !ok || d.Bits() != 15 {
		t.Fatalf("Negotiate = %v, %v", d, ok)
	}
	answer := AppendUpgrade(nil, &req, proto, &d)
	var resp Response
	n, err = ParseResponse(answer, creq, &resp)
	if err != nil || n != len(answer) || string(resp.Protocol) != proto || !resp.Deflate.On() {
		t.Fatalf("ParseResponse: n=%d of %d, %+v, %v", n, len(answer), resp, err)
	}
	// RFC 6455, 1.3: the sample key and its answer.
	if got := string(resp.accept); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("accept = %s", got)
	}
}
