package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	// maxBody bounds one message; it leaves room for white space and escapes in a
	// JSON payload.
	maxBody = 4 * maxMessage
	// maxBatchBody bounds a batch.
	maxBatchBody = 16 << 20
	// trustedLength is the announced length up to which memory is made before the
	// bytes are there.
	trustedLength = 64 << 10
	// maxBodies bounds the large bodies of all requests together: without it, 256
	// connections could make the node hold 4 GiB.
	maxBodies = 64 << 20
)

// bodies reads the bodies of publish requests.
type bodies struct {
	large atomic.Int64 // bytes of buffers above trustedLength
}

// read reads a body of at most limit bytes to its end: only then does net/http
// lift its ReadTimeout, which would end a long wait. The buffer is not pooled: payloads
// are parts of it, and the node may still read them when the request has timed
// out. held is to be given back with release.
func (b *bodies) read(r *http.Request, limit int) (body []byte, held int, bad *problem) {
	// Not http.MaxBytesReader: it cuts the connection, and a client that is still
	// sending sees a reset instead of the answer.
	if r.ContentLength > int64(limit) {
		if r.Header.Get("Expect") == "" { // else it waits for our word before it sends
			io.CopyN(io.Discard, r.Body, int64(limit))
		}
		return nil, 0, bodyTooBig(limit)
	}
	size := trustedLength
	if r.ContentLength < 0 {
		size = 4 << 10
	} else if r.ContentLength < trustedLength {
		size = int(r.ContentLength) + 1 // so that the end is seen before it is full
	}
	body = make([]byte, 0, size)
	in := io.LimitReader(r.Body, int64(limit)+1)
	for {
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return nil, held, bodyTooBig(limit)
		case err == io.EOF:
			return body, held, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, held, &problem{Title: "Timed out", Status: http.StatusRequestTimeout, Detail: "the body did not arrive in time"}
		case err != nil:
			return nil, held, invalid("", "the body could not be read: "+err.Error())
		}
		if len(body) < cap(body) {
			continue
		}
		if cap(body) >= trustedLength {
			more := 2*cap(body) - held
			held += more
			if b.large.Add(int64(more)) > maxBodies {
				return nil, held, failure(ErrOverloaded, "")
			}
		}
		body = slices.Grow(body, cap(body))
	}
}

// release gives back what read holds.
func (b *bodies) release(held int) {
	if held != 0 {
		b.large.Add(-int64(held))
	}
}

func bodyTooBig(limit int) *problem {
	return &problem{Title: titleTooBig, Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body is larger than %d bytes", limit)}
}

// isBatch says whether the body is JSON lines. Most types are taken as one JSON
// object, also application/x-www-form-urlencoded, which is what curl -d says;
// refused are those that cannot be JSON.
func isBatch(h http.Header) (lines bool, bad *problem) {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return false, unsupported(fmt.Sprintf("the body has the content coding %q: send it as it is", coding))
	}
	header := h.Get("Content-Type")
	switch header { // what is sent most, without parsing
	case "", "application/json":
		return false, nil
	case "application/x-ndjson":
		return true, nil
	}
	typ, _, err := mime.ParseMediaType(header)
	if err != nil && typ == "" {
		return false, nil
	}
	switch typ {
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return true, nil
	case "application/xml", "text/xml", "application/cbor", "application/msgpack", "application/zip", "application/gzip":
		return false, unsupported(wrongType(typ))
	}
	switch main, _, _ := strings.Cut(typ, "/"); main {
	case "multipart", "image", "audio", "video", "font":
		return false, unsupported(wrongType(typ))
	}
	return false, nil
}

func wrongType(typ string) string {
	return fmt.Sprintf("the body is %s: want application/json, or application/x-ndjson for one message a line", typ)
}

func unsupported(detail string) *problem {
	return &problem{Title: "Unsupported content", Status: http.StatusUnsupportedMediaType, Detail: detail}
}
