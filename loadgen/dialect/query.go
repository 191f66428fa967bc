package dialect

import "bytes"

const upperHex = "0123456789ABCDEF"

// appendParam appends a parameter of a query: name ends in '=', and begins with
// '&' but for the first one. What RFC 3986 calls unreserved, '/' and ':' stay as
// they are.
func appendParam(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/', c == ':':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// hasEpoch reports whether a session's query says where its stream stands.
func hasEpoch(query []byte) bool { return bytes.Contains(query, []byte("&epoch=")) }
