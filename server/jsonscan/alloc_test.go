//go:build !race

package jsonscan

import "testing"

// TestNoAllocs: only errors and strings with escapes allocate.
func TestNoAllocs(t *testing.T) {
	object := []byte(` { "key" : [ 1 , -2.5e3 , "text" , null , {"a":true} ] , "n" : 7 } `)
	text, number, integer, truth := []byte(`"a text that is longer than a word"`), []byte("-12.5e3"), []byte("18446744073709551615"), []byte("false")
	for name, f := range map[string]func() *Error{
		"value":  func() *Error { s := Scanner{Data: object, Depth: 9}; return s.Value() },
		"text":   func() *Error { s := Scanner{Data: text}; _, err := s.Text(); return err },
		"key":    func() *Error { s := Scanner{Data: object, At: 2}; _, err := s.Key(); return err },
		"number": func() *Error { s := Scanner{Data: number}; _, err := s.Number(); return err },
		"uint":   func() *Error { s := Scanner{Data: integer}; _, err := s.Uint(); return err },
		"bool":   func() *Error { s := Scanner{Data: truth}; _, err := s.Bool(); return err },
		"quoted": func() *Error { Unquote(text); return nil },
	} {
		if err := f(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := testing.AllocsPerRun(100, func() { f() }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
