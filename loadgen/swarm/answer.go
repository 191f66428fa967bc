package swarm

import (
	"bytes"
	"errors"
	"strconv"
)

// answer is an HTTP answer.
type answer struct {
	status int
	body   []byte
	size   int  // bytes of input
	last   bool // the connection ends behind it
	rest   drop // with errBig: the body
	// dropped says that the body was too long, and is gone.
	dropped bool
}

// What is wrong with an answer.
var (
	errShort  = errors.New("the answer is not whole") // come again with more
	errAnswer = errors.New("the API's answer is no HTTP/1.1")
	errLength = errors.New("an answer of the API has no length")
	errBig    = errors.New("an answer of the API is longer than 64 KiB")
)

// maxAnswer bounds an answer in bytes; it is what the poller keeps of input that
// is not whole.
const maxAnswer = 64 << 10

// parseAnswer reads an answer from the begin of b; a body in chunks is joined in
// dst. With errBig and a status the head was read: size is its own, and rest takes
// the body.
func parseAnswer(b, dst []byte) (a answer, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return a, shortOf(b)
	}
	head, rest := b[:end], b[end+4:]
	line, head, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' {
		return a, errAnswer
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil || a.status < 200 {
		return a, errAnswer
	}
	length, chunked := -1, false
	a.last = line[7] == '0'
	for len(head) > 0 {
		line, head, _ = bytes.Cut(head, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return a, errLength
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("connection")):
			a.last = a.last || bytes.EqualFold(value, []byte("close"))
		}
	}
	a.size, a.rest = end+4, drop{left: max(length, 0), chunked: chunked}
	n := 0
	switch {
	case chunked:
		a.body, n, err = joinChunks(rest, dst)
	case a.status == 204 || a.status == 304:
	case length < 0:
		return a, errLength
	case length > maxAnswer:
		return a, errBig
	case len(rest) < length:
		return a, shortOf(b)
	default:
		a.body, n = append(dst, rest[:length]...), length
	}
	a.size += n
	if errors.Is(err, errBig) {
		a.size = end + 4
	}
	return a, err
}

// drop takes a body that is too long to be read.
type drop struct {
	left    int // of the body, or of a chunk with its line end
	chunked bool
	trailer bool // the last chunk was there
}

// take drops what there is of it. done says that it was all.
func (d *drop) take(b []byte) (n int, done bool, err error) {
	for n < len(b) {
		if d.left > 0 {
			k := min(d.left, len(b)-n)
			d.left, n = d.left-k, n+k
			if d.left == 0 && !d.chunked {
				return n, true, nil
			}
			continue
		}
		line, _, whole := bytes.Cut(b[n:], []byte("\r\n"))
		if !whole {
			return n, false, nil
		}
		n += len(line) + 2
		if d.trailer {
			if len(line) == 0 {
				return n, true, nil
			}
			continue
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 31)
		switch {
		case err != nil:
			return n, false, errAnswer
		case size == 0:
			d.trailer = true
		default:
			d.left = int(size) + 2
		}
	}
	return n, false, nil
}

// shortOf asks for more, within the bound.
func shortOf(b []byte) error {
	if len(b) >= maxAnswer {
		return errBig
	}
	return errShort
}

// joinChunks reads a chunked body (RFC 9112, 7.1); trailers are passed over.
func joinChunks(b, dst []byte) (body []byte, n int, err error) {
	for {
		line, _, whole := bytes.Cut(b[n:], []byte("\r\n"))
		if !whole {
			return dst, n, shortOf(b)
		}
		n += len(line) + 2
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 31)
		switch {
		case err != nil:
			return dst, n, errAnswer
		case size > maxAnswer:
			return dst, n, errBig
		case size == 0:
			return trailers(b, dst, n)
		case len(b)-n < int(size)+2:
			return dst, n, shortOf(b)
		}
		dst = append(dst, b[n:n+int(size)]...)
		n += int(size) + 2
	}
}

// trailers finds the end of a chunked body.
func trailers(b, dst []byte, n int) ([]byte, int, error) {
	for {
		line, _, whole := bytes.Cut(b[n:], []byte("\r\n"))
		if !whole {
			return dst, n, shortOf(b)
		}
		if n += len(line) + 2; len(line) == 0 {
			return dst, n, nil
		}
	}
}
