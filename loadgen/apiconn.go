package loadgen

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// apiConn is a kept-alive connection to the API with one request at a time.
// net/http's client takes 30 us of CPU a request, from the cores that the
// server runs on; this takes a write and a read.
type apiConn struct {
	addr, host, path string
	timeout          time.Duration

	nc     net.Conn // nil: to be dialed
	r      *bufio.Reader
	out    []byte
	answer []byte
}

func newAPIConn(base, path string, timeout time.Duration) (*apiConn, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("api %q: want http://host:port", base)
	}
	port := u.Port()
	setDefault(&port, "80")
	return &apiConn{addr: net.JoinHostPort(u.Hostname(), port), host: u.Host, path: u.Path + path, timeout: timeout}, nil
}

// close ends the connection; the next post dials anew.
func (a *apiConn) close() {
	if a.nc != nil {
		a.nc.Close()
		a.nc = nil
	}
}

// post sends a request and returns the answer, valid until the next. After an
// error nobody knows whether the request was done.
func (a *apiConn) post(contentType string, body []byte) (status int, answer []byte, err error) {
	if a.nc == nil {
		if a.nc, err = net.DialTimeout("tcp", a.addr, a.timeout); err != nil {
			a.nc = nil
			return 0, nil, err
		}
		a.r = bufio.NewReaderSize(a.nc, 16<<10)
	}
	a.out = fmt.Appendf(a.out[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", a.path, a.host, contentType, len(body))
	a.out = append(a.out, body...)
	_ = a.nc.SetDeadline(time.Now().Add(a.timeout))
	if _, err = a.nc.Write(a.out); err == nil {
		status, err = a.read()
	}
	if err != nil {
		a.close()
		return 0, nil, err
	}
	return status, a.answer, nil
}

// read reads one answer, which has a length: roost's API gives one with
// everything that a publisher gets.
func (a *apiConn) read() (status int, err error) {
	line, err := a.line()
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(string(line), "HTTP/1.1 %d", &status); err != nil {
		return 0, fmt.Errorf("api: not an HTTP answer: %.40q", line)
	}
	length, last := -1, false
	for {
		if line, err = a.line(); err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, fmt.Errorf("api: length %.20q", value)
			}
		case bytes.EqualFold(name, []byte("connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length < 0 || length > 16<<20 {
		return 0, fmt.Errorf("api: an answer of unknown length or too long")
	}
	a.answer = append(a.answer[:0], make([]byte, length)...)
	if _, err := io.ReadFull(a.r, a.answer); err != nil {
		return 0, err
	}
	if last {
		a.close()
	}
	return status, nil
}

// line reads one line of the head, without its end.
func (a *apiConn) line() ([]byte, error) {
	line, err := a.r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}
