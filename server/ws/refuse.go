package ws

import "strconv"

// HandshakeError is a refused opening handshake, ready to be answered. The
// sentinels of this package are shared: copy one before changing it.
type HandshakeError struct {
	Status     int    // HTTP status, 400..599
	Text       string // for the "detail" of the answer and for logs
	RetryAfter int    // seconds for Retry-After; 0: no such header
}

// Error returns Text.
func (e *HandshakeError) Error() string { return e.Text }

// AppendResponse appends the whole HTTP/1.1 response that refuses the request:
// application/problem+json (RFC 9457) and Connection: close. A 426 names the
// version that we speak (RFC 6455, 4.4), a 405 the method, a 401 the scheme
// (RFC 9110, 11.6.1).
func (e *HandshakeError) AppendResponse(dst []byte) []byte {
	dst = appendStatus(dst, e.Status)
	switch e.Status {
	case 401:
		dst = append(dst, "WWW-Authenticate: Bearer\r\n"...)
	case 405:
		dst = append(dst, "Allow: GET\r\n"...)
	case 426:
		dst = append(dst, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"...)
	}
	if e.RetryAfter > 0 {
		dst = append(dst, "Retry-After: "...)
		dst = strconv.AppendInt(dst, int64(e.RetryAfter), 10)
		dst = append(dst, "\r\n"...)
	}
	if e.Status == 426 {
		dst = append(dst, "Connection: close, Upgrade\r\n"...)
	} else {
		dst = append(dst, "Connection: close\r\n"...)
	}
	title := StatusText(e.Status)
	const head, mid, end = `{"title":"`, `","detail":"`, "\"}\n"
	status := `","status":` // and three digits
	n := len(head) + len(title) + len(status) + 3 + len(mid) - 1 + jsonLen(e.Text) + len(end)
	dst = append(dst, "Content-Type: application/problem+json\r\nCache-Control: no-store\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, "\r\n\r\n"...)
	dst = append(append(dst, head...), title...)
	dst = strconv.AppendInt(append(dst, status...), int64(e.Status), 10)
	dst = append(dst, mid[1:]...)
	return append(appendJSON(dst, e.Text), end...)
}

// AppendResponse appends a whole HTTP/1.1 response with a body, for the plain
// GET requests that arrive on the same listener. end adds Connection: close.
func AppendResponse(dst []byte, status int, contentType string, body []byte, end bool) []byte {
	dst = appendStatus(dst, status)
	if end {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = append(append(dst, "Content-Type: "...), contentType...)
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	return append(append(dst, "\r\n\r\n"...), body...)
}

func appendStatus(dst []byte, status int) []byte {
	dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(status), 10)
	dst = append(append(dst, ' '), StatusText(status)...)
	return append(dst, "\r\n"...)
}

// StatusText is the reason phrase of the statuses used on a device listener,
// and the class name of others.
func StatusText(status int) string {
	switch status {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 409:
		return "Conflict"
	case 426:
		return "Upgrade Required"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 503:
		return "Service Unavailable"
	case 505:
		return "HTTP Version Not Supported"
	}
	switch status / 100 {
	case 2:
		return "Success"
	case 3:
		return "Redirection"
	case 4:
		return "Client Error"
	}
	return "Server Error"
}

const hexDigits = "0123456789abcdef"

// appendJSON appends s as the inside of a JSON string (RFC 8259, 7). s is
// UTF-8: our own texts.
func appendJSON(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// jsonLen is the length of what appendJSON appends.
func jsonLen(s string) int {
	n := len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			n++
		case c < 0x20:
			n += 5
		}
	}
	return n
}
