package dialect

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"roost/server/ws"
)

// api is where messages are published, as its base URL says.
type api struct {
	prefix string // of the path, without a slash at the end
	key    string // from ?api_key= or the URL's user
}

// parseAPI reads a base URL; of an empty one it makes the zero value.
func parseAPI(base string) (api, error) {
	if base == "" {
		return api{}, nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return api{}, fmt.Errorf("API %q: want http://host:port", base)
	}
	a := api{prefix: strings.TrimSuffix(u.EscapedPath(), "/"), key: u.Query().Get("api_key")}
	if a.key == "" {
		a.key = u.User.Username()
	}
	return a, nil
}

// header returns the header that carries the key, if there is one.
func (a *api) header(name string) []ws.Field {
	if a.key == "" {
		return nil
	}
	return []ws.Field{{Name: name, Value: a.key}}
}

// RefusedError is an answer of an API that says that the message was not
// accepted.
type RefusedError struct {
	Status int    // HTTP
	Reason string // the server's, short; may be empty
}

// Error names status and reason.
func (e *RefusedError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("publish: HTTP %d", e.Status)
	}
	return fmt.Sprintf("publish: HTTP %d: %s", e.Status, e.Reason)
}

// maxReason bounds what is kept of what a server says about itself, in bytes.
const maxReason = 120

// clip shortens what a server says, in whole characters.
func clip[T string | []byte](text T) string {
	if len(text) <= maxReason {
		return string(text)
	}
	n := maxReason
	for n > maxReason-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return string(text[:n])
}

// appendQuoted appends s as a JSON string. Names and payloads have nothing to
// escape as a rule.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(string(s)) // a string cannot fail
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// unquoted returns what a JSON value says if it is a string without escapes, as
// payloads are, and the value as it is otherwise.
func unquoted(value []byte) []byte {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}
