package snapshot

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"roost/ring"
)

// MaxJSON is the most bytes of JSON that are read. Everything that has a binary
// form fits, as EncodeJSON writes it: no part of it grows more than sixfold. A
// byte of a text is six as \u003c, the 23 other bytes of a node are at most 118, the 6
// of a section 24, and its data grow by a third.
const MaxJSON = 6 * MaxBytes

// DecodeJSON reads the JSON form, in any layout and order of keys. The hash must be
// that of the binary form of what it says. Errors are *Error; docs/RING.md says
// which.
//
// It goes from token to token, as encoding/json alone takes what would be read
// otherwise elsewhere: keys in any case, keys twice, null for anything, U+FFFD for
// what is not Unicode. And it stops at the first fault, so that a few megabytes of
// nonsense do not become hundreds.
func DecodeJSON(b []byte) (*Snapshot, error) {
	if len(b) > MaxJSON {
		return nil, refuse(Length, 0, "%d bytes of JSON, a snapshot has at most %d", len(b), MaxJSON)
	}
	if !utf8.Valid(b) {
		return nil, refuse(Magic, 0, "not a snapshot in JSON: not UTF-8")
	}
	r := jsonReader{d: json.NewDecoder(bytes.NewReader(b))}
	r.d.UseNumber()
	s, hash, err := r.snapshot()
	if err != nil {
		return nil, err
	}
	at := r.at()
	if lone := loneSurrogate(b[:at]); lone >= 0 {
		return nil, refuse(Magic, lone, "not a snapshot in JSON: half of a surrogate pair, %s, is no character", b[lone:lone+6])
	}
	if rest := bytes.Trim(b[at:], " \t\r\n"); len(rest) > 0 {
		return nil, refuse(Length, at, "there is more after the snapshot")
	}
	// What is allowed, and in which words it is refused, is the binary form's to say.
	binary, err := s.encode()
	if err != nil {
		return nil, refuse(Length, 0, "%v", err)
	}
	if s, err = Decode(binary); err != nil {
		return nil, err
	}
	if want := fmt.Sprintf("%016x", ContentHash(binary)); want != hash {
		return nil, refuse(BadHash, at, "what it says has the hash %s, it says %q: it was changed", want, hash)
	}
	return s, nil
}

// jsonReader reads JSON of just one shape.
type jsonReader struct {
	d *json.Decoder
}

// field is a key of an object and where its value goes: a pointer, or a function
// that reads it.
type field struct {
	key      string
	into     any
	optional bool
}

func (r *jsonReader) snapshot() (s *Snapshot, hash string, err error) {
	s = &Snapshot{}
	// A later format may have other keys, so it is judged as soon as it is known.
	known := func(key string, want int, code Code) field {
		return field{key: key, into: func() error {
			n := 0
			if err := r.value(key, &n); err != nil || n == want {
				return err
			}
			return refuse(code, r.at(), "%s %d, this reader knows %d: use a newer one", key, n, want)
		}}
	}
	err = r.object("the snapshot", []field{
		known("format", Format, BadFormat),
		{key: "version", into: &s.Version},
		{key: "pointsPerUnit", into: &s.PointsPerUnit},
		{key: "tableBits", into: &s.TableBits},
		known("placement", placement, Placement),
		{key: "nodes", into: func() error { return r.nodes(s) }},
		{key: "sections", into: func() error { return r.sections(s) }, optional: true},
		{key: "hash", into: &hash},
	})
	return s, hash, err
}

func (r *jsonReader) nodes(s *Snapshot) error {
	var n ring.Member
	fields := []field{
		{key: "id", into: &n.ID}, {key: "addr", into: &n.Addr}, {key: "zone", into: &n.Zone},
		{key: "weight", into: &n.Weight}, {key: "capacity", into: &n.Capacity}, {key: "points", into: &n.Points},
	}
	return r.list("nodes", func() error {
		if len(s.Nodes) == ring.MaxNodes {
			return refuse(BadNode, r.at(), "more than %d nodes", ring.MaxNodes)
		}
		err := r.object(fmt.Sprintf("node %d", len(s.Nodes)+1), fields)
		s.Nodes = append(s.Nodes, n)
		return err
	})
}

func (r *jsonReader) sections(s *Snapshot) error {
	var tag uint16
	var data []byte
	fields := []field{{key: "tag", into: &tag}, {key: "data", into: &data}}
	return r.list("sections", func() error {
		err := r.object(fmt.Sprintf("section %d", len(s.Sections)+1), fields)
		s.Sections = append(s.Sections, Section{tag, data})
		return err
	})
}

// list reads a list; each reads what is in it.
func (r *jsonReader) list(what string, each func() error) error {
	if err := r.delim(what, '['); err != nil {
		return err
	}
	for r.d.More() {
		if err := each(); err != nil {
			return err
		}
	}
	return r.delim(what, ']')
}

// object reads an object with these keys, each once, in any order.
func (r *jsonReader) object(what string, fields []field) error {
	if err := r.delim(what, '{'); err != nil {
		return err
	}
	seen := uint(0) // a bit a field
	for r.d.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		switch {
		case i < 0:
			return r.bad("%s has the key %.40q, which format %d does not know", what, key, Format)
		case seen&(1<<i) != 0:
			return r.bad("%s has the key %q twice", what, key)
		}
		seen |= 1 << i
		if err := r.value(key, fields[i].into); err != nil {
			return err
		}
	}
	if err := r.delim(what, '}'); err != nil {
		return err
	}
	for i, f := range fields {
		if seen&(1<<i) == 0 && !f.optional {
			return r.bad("%s has no key %q", what, f.key)
		}
	}
	return nil
}

// value reads the value of a key.
func (r *jsonReader) value(key string, into any) error {
	if read, ok := into.(func() error); ok {
		return read()
	}
	t, err := r.token()
	if err != nil {
		return err
	}
	text, isText := t.(string)
	number, _ := t.(json.Number)
	switch into := into.(type) {
	case *string:
		if *into = text; isText {
			return nil
		}
		return r.bad("%q is %s, must be a text", key, show(t))
	case *[]byte:
		if *into, err = base64.StdEncoding.Strict().DecodeString(text); isText && err == nil && !strings.ContainsAny(text, "\r\n") {
			return nil
		}
		return r.bad("%q must be a text in base64", key)
	case *uint64:
		*into, err = strconv.ParseUint(string(number), 10, 64)
	case *uint16:
		var n uint64
		n, err = strconv.ParseUint(string(number), 10, 16)
		*into = uint16(n)
	case *int:
		*into, err = strconv.Atoi(string(number))
	case *float64:
		*into, err = strconv.ParseFloat(string(number), 64)
	}
	if err != nil {
		return r.bad("%q is %s: not a number, or none that is allowed there", key, show(t))
	}
	return nil
}

// delim reads a bracket.
func (r *jsonReader) delim(what string, want json.Delim) error {
	if t, err := r.token(); err != nil {
		return err
	} else if t != want {
		return r.bad("%s: %s where a %v must be", what, show(t), want)
	}
	return nil
}

func (r *jsonReader) token() (json.Token, error) {
	t, err := r.d.Token()
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, refuse(Short, r.at(), "the JSON ends in the middle")
	case err != nil:
		return nil, r.bad("%v", err)
	}
	return t, nil
}

func (r *jsonReader) bad(format string, args ...any) error {
	return refuse(Magic, r.at(), "not a snapshot in JSON: "+format, args...)
}

// show returns a token for people, if need be cut.
func show(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%.40q", t)
	case json.Number:
		return fmt.Sprintf("%.40s", string(t))
	}
	return fmt.Sprint(t)
}

func (r *jsonReader) at() int { return int(r.d.InputOffset()) }

// loneSurrogate returns where in valid JSON an escape stands for half of a
// surrogate pair, without the other half: \ud83d alone is no character, \ud83d\ude00
// is one. -1 if nowhere. Backslashes are only in texts.
func loneSurrogate(b []byte) int {
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		switch first := escaped(b[i:]); {
		case first < 0:
			i++ // \n and the like, and \\
		case first>>10 == 0xd800>>10 && escaped(b[i+6:])>>10 == 0xdc00>>10:
			i += 11
		case first>>11 == 0xd800>>11:
			return i
		default:
			i += 5
		}
	}
	return -1
}

// escaped returns the 16 bits that b begins with as \uXXXX, or -1.
func escaped(b []byte) int {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}
