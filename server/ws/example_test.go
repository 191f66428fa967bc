package ws_test

import (
	"fmt"

	"roost/server/ws"
)

// A loop feeds what it read to the parser and sends what it answers.
func Example() {
	// What a client sent in one segment: "Hello" masked, then a close frame.
	in := ws.AppendMasked(nil, ws.OpText, [4]byte{1, 2, 3, 4}, []byte("Hello"))
	in = ws.AppendMaskedClose(in, [4]byte{5, 6, 7, 8}, ws.StatusNormal, "bye")

	var p ws.Parser
	p.Reset(&ws.Config{Role: ws.Server})
	var out []byte
	for len(in) > 0 {
		ev, n, err := p.Next(in)
		if err != nil {
			out = ws.AppendClose(out, ws.CloseFor(err), err.Error())
			break
		}
		in = in[n:]
		switch ev.Kind {
		case ws.Text:
			fmt.Printf("text %q\n", ev.Payload)
		case ws.Close:
			fmt.Printf("close %d %q\n", ev.Code, ev.Reason)
			out = ws.AppendClose(out, ws.CloseEcho(ev), "")
		}
	}
	p.Release()
	fmt.Printf("answer %x\n", out)
	// Output:
	// text "Hello"
	// close 1000 "bye"
	// answer 880203e8
}

// The opening handshake: the same bytes and more until the head is whole.
func ExampleParseRequest() {
	in := []byte("GET /v1/connect?hop=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: roost.v1.json\r\n\r\n")
	var req ws.Request
	_, err := ws.ParseRequest(in[:40], &req)
	fmt.Println(err)
	n, err := ws.ParseRequest(in, &req)
	fmt.Println(n == len(in), err, ws.CheckUpgrade(&req) == nil)
	proto, ok := req.SelectProtocol("roost.v1.bin", "roost.v1.json")
	fmt.Println(proto, ok)
	_, agreed := ws.Negotiate(req.Extensions)
	fmt.Println(agreed)
	// Output:
	// ws: head is not whole
	// true <nil> true
	// roost.v1.json true
	// false
}
