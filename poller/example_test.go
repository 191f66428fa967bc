package poller_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"

	"roost/poller"
)

// lineEcho answers every line with itself: a whole server on the reactor.
type lineEcho struct{}

func (lineEcho) Open(c poller.Conn) {}

func (lineEcho) Data(c poller.Conn, b []byte) int {
	n := bytes.LastIndexByte(b, '\n') + 1 // what follows waits for its rest
	if c.Write(b[:n], poller.Reliable) == poller.Full {
		c.Close(poller.ErrSlow)
	}
	return n
}

func (lineEcho) Drained(c poller.Conn)           {}
func (lineEcho) Timeout(c poller.Conn)           {}
func (lineEcho) Closed(c poller.Conn, why error) {}

func Example() {
	p, err := poller.New(poller.Options{
		Listen:     "127.0.0.1:0",
		NewHandler: func(*poller.Loop) poller.Handler { return lineEcho{} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	nc, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	fmt.Fprint(nc, "hello\nwor")
	fmt.Fprint(nc, "ld\n")
	r := bufio.NewReader(nc)
	for range 2 {
		line, _ := r.ReadString('\n')
		fmt.Print(line)
	}
	// Output:
	// hello
	// world
}
