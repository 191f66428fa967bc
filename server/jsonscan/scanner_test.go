package jsonscan

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// pass passes over one text as far as depth allows.
func pass(text string, depth int) *Error {
	s := Scanner{Data: []byte(text), Depth: depth}
	if err := s.Value(); err != nil {
		return err
	}
	if !s.Done() {
		return s.Fail("the end")
	}
	return nil
}

// TestErrors has one row per way in which a text is wrong: where, and the words.
func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		``:                `byte 0: want a value, got the end`,
		` `:               `byte 1: want a value, got the end`,
		"\x00":            `byte 0: want a value, got '\x00'`,
		`é`:               `byte 0: want a value, got 'é'`,
		"\xff":            `byte 0: want a value, got '�'`,
		`tru`:             `byte 0: want a value, got 't'`,
		`nulll`:           `byte 4: want the end, got 'l'`,
		`{}{}`:            `byte 2: want the end, got '{'`,
		"{}\x00":          `byte 2: want the end, got '\x00'`,
		`{`:               `byte 1: want a string, got the end`,
		`{,}`:             `byte 1: want a string, got ','`,
		`{"a":1,}`:        `byte 7: want a string, got '}'`,
		`{"a" 1}`:         `byte 5: want ':', got '1'`,
		`{"a"`:            `byte 4: want ':', got the end`,
		`{"a":}`:          `byte 5: want a value, got '}'`,
		`{"a":1]`:         `byte 6: want ',' or '}', got ']'`,
		`[1 2]`:           `byte 3: want ',' or ']', got '2'`,
		"[1\x00":          `byte 2: want ',' or ']', got '\x00'`,
		`[1`:              `byte 2: want ',' or ']', got the end`,
		`[1,]`:            `byte 3: want a value, got ']'`,
		`"abcdefgh`:       `byte 9: want the end of a string, got the end`,
		"\"abcdefg\x1f\"": `byte 8: want a string without control characters, got '\x1f'`,
		`"\`:              `byte 2: want an escape, got the end`,
		`"\x"`:            `byte 2: want an escape, got 'x'`,
		`"\u00g0"`:        `byte 5: want four hex digits, got 'g'`,
		`"\u00`:           `byte 5: want four hex digits, got the end`,
		`-`:               `byte 1: want a number, got the end`,
		`01`:              `byte 2: want a number, got the end`,
		`1.`:              `byte 2: want a digit, got the end`,
		`1e+x`:            `byte 3: want a digit, got 'x'`,
		`[[[1]]]`:         `byte 2: want at most 2 levels, got '['`,
	} {
		if err := pass(text, 2); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestTypedErrors: the same for values that are not of the type asked for.
func TestTypedErrors(t *testing.T) {
	scan := map[string]func(s *Scanner) *Error{
		"text":   func(s *Scanner) *Error { _, err := s.Text(); return err },
		"key":    func(s *Scanner) *Error { _, err := s.Key(); return err },
		"uint":   func(s *Scanner) *Error { _, err := s.Uint(); return err },
		"number": func(s *Scanner) *Error { _, err := s.Number(); return err },
		"bool":   func(s *Scanner) *Error { _, err := s.Bool(); return err },
	}
	for _, tt := range []struct{ what, text, want string }{
		{"text", ` 5`, `byte 1: want a string, got '5'`},
		{"text", ``, `byte 0: want a string, got the end`},
		{"key", ` "a" , `, `byte 5: want ':', got ','`},
		{"key", `5`, `byte 0: want a string, got '5'`},
		{"uint", ` -1`, `byte 1: want a non-negative integer, got '-'`},
		{"uint", `007`, `byte 0: want a non-negative integer, got '0'`},
		{"uint", ``, `byte 0: want a non-negative integer, got the end`},
		{"uint", `1.5`, `byte 1: want an integer, got '.'`},
		{"uint", `10E5`, `byte 2: want an integer, got 'E'`},
		{"uint", `18446744073709551616`, `byte 19: want an integer of at most 64 bits, got '6'`},
		{"number", `"1"`, `byte 0: want a number, got '"'`},
		{"bool", ` null`, `byte 1: want true or false, got 'n'`},
	} {
		if err := scan[tt.what](&Scanner{Data: []byte(tt.text)}); err == nil || err.Error() != tt.want {
			t.Errorf("%s %q: %v, want %q", tt.what, tt.text, err, tt.want)
		}
	}
}

// TestDepth: arrays and objects count as levels; with Leaves all else does too.
func TestDepth(t *testing.T) {
	for _, tt := range []struct {
		text           string
		levels, leaves int // Depth from which on the text is taken, without and with Leaves
	}{
		{`1`, 0, 1},
		{`""`, 0, 1},
		{`[]`, 1, 1},
		{`[null]`, 1, 2},
		{`{"a":{}}`, 2, 2},
		{`{"a":[{"b":1}]}`, 3, 4},
		{`[[],[[],[]],[]]`, 3, 3},
		{strings.Repeat("[", 64) + strings.Repeat("]", 64), 64, 64},
	} {
		for depth := range 70 {
			s := Scanner{Data: []byte(tt.text), Depth: depth}
			err := s.Value()
			if (err == nil) != (depth >= tt.levels) || err != nil && !err.Deep {
				t.Errorf("%s with %d levels: %v", tt.text, depth, err)
			}
			s = Scanner{Data: []byte(tt.text), Depth: depth, Leaves: true}
			err = s.Value()
			if (err == nil) != (depth >= tt.leaves) || err != nil && !err.Deep {
				t.Errorf("%s with %d levels and leaves: %v", tt.text, depth, err)
			}
		}
	}
}

// TestSpaced: white space counts where it is outside strings.
func TestSpaced(t *testing.T) {
	for text, want := range map[string]bool{`{"a b":[1,"\t "]}`: false, `[1, 2]`: true, "{\n}": true, "[\t]": true, `{"a" :1}`: true, "1": false, "\r1": true} {
		s := Scanner{Data: []byte(text), Depth: 9}
		if err := s.Value(); err != nil || s.Spaced != want {
			t.Errorf("%q: spaced %v, %v", text, s.Spaced, err)
		}
		if short := len(Compact([]byte(text))) < len(text); short != want {
			t.Errorf("%q: Compact has shortened it: %v", text, short)
		}
	}
}

// walk reads a text as users do, and writes down what it met.
func walk(s *Scanner, out *strings.Builder) (err *Error) {
	var text []byte
	switch c := s.Next(); {
	case c == '{':
		s.At++
		for more := !s.Accept('}'); more; {
			if text, err = s.Key(); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s@%d:", text, s.At)
			if err = walk(s, out); err != nil {
				return err
			}
			if more, err = s.More('}'); err != nil {
				return err
			}
		}
		out.WriteString("end ")
	case c == '"':
		text, err = s.Text()
		fmt.Fprintf(out, "%s ", text)
	case c == 't' || c == 'f':
		var b bool
		b, err = s.Bool()
		fmt.Fprintf(out, "%v ", b)
	default:
		var n uint64
		n, err = s.Uint()
		fmt.Fprintf(out, "%d ", n)
	}
	return err
}

// TestWalk: a user's own walk through an object.
func TestWalk(t *testing.T) {
	s := Scanner{Data: []byte(` { "a" : {} , "\u0062":{"c": "d\n" ,"":false},"e":18446744073709551615 } `)}
	var out strings.Builder
	err := walk(&s, &out)
	want := "a@9:end b@23:c@29:d\n @39:false end e@50:18446744073709551615 end "
	if err != nil || !s.Done() || out.String() != want {
		t.Fatalf("%q at %d, %v; want %q", out.String(), s.At, err, want)
	}
}

// TestPartsAreOfData: what has no escapes is not copied, and cannot be appended
// into the text behind it.
func TestPartsAreOfData(t *testing.T) {
	data := []byte(`"abc","d"`)
	s := Scanner{Data: data}
	text, err := s.Text()
	if err != nil || &text[0] != &data[1] || cap(text) != 3 {
		t.Errorf("Text: %q, capacity %d, %v", text, cap(text), err)
	}
	if text := Unquote(data[6:9]); &text[0] != &data[7] || cap(text) != 1 {
		t.Errorf("Unquote: %q, capacity %d", text, cap(text))
	}
	if !bytes.Equal(data, []byte(`"abc","d"`)) {
		t.Errorf("the text was changed to %q", data)
	}
}
