package engines

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// doTimeout bounds one command with its connection.
const doTimeout = 5 * time.Second

// maxReply bounds a string and the length of an array in a reply.
const maxReply = 64 << 20

// ReplyError is an error that Redis answered with, such as "ERR unknown command".
type ReplyError string

// Error returns the text as Redis sent it.
func (e ReplyError) Error() string { return "redis: " + string(e) }

// do sends one command on a connection of its own. The reply is a string, an int64, nil or
// a slice of those; an error reply is a ReplyError.
//
// It is a client of thirty lines so that a server's state is seen with nothing
// between: no pool, no retries, nothing cached.
func do(addr string, args ...string) (any, error) {
	c, err := net.DialTimeout("tcp", addr, doTimeout)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(doTimeout)); err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := c.Write(b); err != nil {
		return nil, err
	}
	return readReply(bufio.NewReader(c))
}

// readReply reads one value of RESP version 2.
func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("redis: reply %q is too short", line)
	}
	rest := line[1 : len(line)-2]
	switch line[0] {
	case '+':
		return rest, nil
	case '-':
		return nil, ReplyError(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n > maxReply {
		return nil, fmt.Errorf("redis: reply begins with %q", line)
	}
	switch {
	case n < 0:
		return nil, nil
	case line[0] == '$':
		b := make([]byte, n+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		return string(b[:n]), nil
	case line[0] == '*':
		var values []any
		for range n {
			v, err := readReply(r)
			if _, isReply := err.(ReplyError); isReply {
				v, err = err, nil
			}
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		return values, nil
	}
	return nil, fmt.Errorf("redis: reply begins with %q", line)
}
