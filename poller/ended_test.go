package poller

import "testing"

// TestEndedOfAPausedConnection: the peer's FIN is seen behind input that nobody
// reads, and nothing is told or lost by looking.
func TestEndedOfAPausedConnection(t *testing.T) {
	opened := make(chan Handle, 1)
	ends := make(chan int, 1)
	got := 0
	p := start(t, Options{}, &script{
		open:   func(c Conn) { c.Pause(); opened <- c.Handle() },
		data:   func(_ Conn, b []byte) int { got += len(b); return len(b) },
		closed: func(Conn, error) { ends <- got },
	})
	client, h := dialConn(t, p, 0, opened)
	l := p.Loops()[0]
	ended := func() (yes bool) {
		do(t, l, func(l *Loop) { yes = l.Conn(h).Ended() })
		return yes
	}
	client.Write(make([]byte, 100))
	if ended() {
		t.Error("ended while the peer is there")
	}
	client.finish()
	await(t, "the peer's FIN", ended)
	select {
	case <-ends:
		t.Error("closed by looking")
	default:
	}
	do(t, l, func(l *Loop) { l.Conn(h).Resume() })
	if n := recv(t, "Closed", ends); n != 100 {
		t.Errorf("%d bytes came", n)
	}
	if !ended() {
		t.Error("a connection that is gone has not ended")
	}
	client.close()
}
