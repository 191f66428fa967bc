package live

import (
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// Terminal is what a Screen draws on.
type Terminal struct {
	Out io.Writer
	// Size returns columns and rows; 0 where that is not known.
	Size func() (columns, rows int)
	// Resized says that Size has changed; nil: it never does.
	Resized <-chan os.Signal
	Stop    func() // of Resized; may be nil
	Colour  bool
	ASCII   bool // no symbols beyond it
}

// OpenTerminal returns the terminal that w is; ok is false where it is none, or
// one that obeys no codes (TERM=dumb). getenv reads TERM, NO_COLOR
// (https://no-color.org: any value but an empty one), and the locale of LC_ALL,
// LC_CTYPE or LANG, of which C and POSIX get letters for symbols.
func OpenTerminal(w io.Writer, getenv func(string) string) (t Terminal, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) || getenv("TERM") == "dumb" || getenv("TERM") == "" {
		return t, false
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	return Terminal{Out: f, Resized: resized, Stop: func() { signal.Stop(resized) },
		Size: func() (int, int) {
			columns, rows, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0, 0
			}
			return columns, rows
		},
		Colour: getenv("NO_COLOR") == "", ASCII: isASCII(getenv)}, true
}

// isASCII reports whether the locale has no symbols. Where there is none, as in
// containers, terminals have them nevertheless.
func isASCII(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			return v == "C" || v == "POSIX" || strings.HasSuffix(strings.ToLower(v), ".ascii")
		}
	}
	return false
}

// Columns returns how wide the terminal is that w is; 0 where it is none.
func Columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}
