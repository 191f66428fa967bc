package rig

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"
)

// redisConn speaks inline commands.
type redisConn struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func dialRedis(t *testing.T, addr string) *redisConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &redisConn{t, c, bufio.NewReader(c)}
}

func (r *redisConn) say(command string) {
	r.t.Helper()
	if _, err := r.c.Write([]byte(command + "\r\n")); err != nil {
		r.t.Fatal(err)
	}
}

// hear returns the first line of a reply.
func (r *redisConn) hear() string {
	r.t.Helper()
	line, err := r.r.ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimRight(line, "\r\n")
}

func (r *redisConn) ask(command string) string {
	r.t.Helper()
	r.say(command)
	return r.hear()
}
