// Package ws is the WebSocket protocol without I/O: RFC 6455 framing, close
// handshake and opening handshake for both sides, and RFC 7692
// permessage-deflate without context takeover.
//
// Nothing here reads, writes, waits or starts a goroutine. Bytes go in, events
// or bytes come out, so the same code runs on an epoll loop, in a simulation
// and under a fuzzer. A reactor cannot wait for "the rest of the frame": every
// reader is a push parser that says Short (or ErrShort) and keeps what it needs
// itself.
//
// # Receiving
//
// A Parser takes bytes in whatever pieces they arrive and yields Events:
//
//	for len(in) > 0 {
//		ev, n, err := p.Next(in)
//		if err != nil {
//			out = ws.AppendClose(out, ws.CloseFor(err), err.Error())
//			break
//		}
//		in = in[n:]
//		switch ev.Kind {
//		case ws.Text, ws.Binary: // a whole message
//		case ws.Ping:
//			out = ws.AppendFrame(out, ws.OpPong, ev.Payload)
//		case ws.Close:
//			out = ws.AppendClose(out, ws.CloseEcho(ev), "")
//		}
//	}
//	p.Release() // when p.Idle(): the parser may now serve another connection
//
// A frame that is whole in the input is handed out as a slice of that input;
// only split or fragmented messages cost a buffer, borrowed from Buffers and
// grown with the bytes that arrive, never with a length that a peer announces.
//
// # Sending
//
// The Append functions write frames into the caller's buffer. A frame for many
// receivers is encoded (and compressed, see Deflater) once and shared.
//
// # What gobwas/ws is used for
//
// Its types (OpCode, StatusCode, Header) and its vectorised Cipher. Its
// checks are not used: they accept non-minimal lengths, lengths up to 2^63-1,
// RSV2 and RSV3 once an extension is on, close codes above 4999 and one-byte
// close payloads, and refuse the registered codes 1012-1014.
//
// # Ownership
//
// Nothing in this package locks. Parser, Inflater and Deflater belong to
// one goroutine at a time (a loop); Config is read only once shared.
package ws
