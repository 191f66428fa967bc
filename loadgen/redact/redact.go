// Package redact takes secrets out of what is written into result files, which
// are handed on: the values of flags, variables and query parameters whose
// names speak of a secret, the user of a URL, and bearer tokens. A secret under
// a name that does not say so is not found.
package redact

import (
	"regexp"
	"strings"
)

// mark stands where a secret was.
const mark = "***"

// word is in the name of a secret, in any case.
const word = `(?:token|secret|passwo?r?d|api[-_]?key|credential|signature)`

var (
	name  = regexp.MustCompile(`(?i)` + word)
	rules = []struct {
		secret *regexp.Regexp
		by     string
	}{
		// ws://user:password@host; a user may hold @, and no /.
		{regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s"'\\]+@`), "${1}" + mark + "@"},
		// ?key=..., where a name alone says less than elsewhere.
		{regexp.MustCompile(`(?i)([?&](?:key|auth|jwt|sig|access)=)[^\s&#"'\\,}\]]+`), "${1}" + mark},
		// NAME=..., --name=..., ?name=...
		{regexp.MustCompile(`(?i)([\w-]*` + word + `[\w-]*=)[^\s&#"'\\,}\]]+`), "${1}" + mark},
		// --name ...
		{regexp.MustCompile(`(?i)((?:^|[\s"'])--?[\w-]*` + word + `[\w-]*\s+)[^\s"'\\-][^\s"'\\]*`), "${1}" + mark},
		{regexp.MustCompile(`(?i)(\bbearer\s+)[\w.~+/=-]+`), "${1}" + mark},
	}
)

// Text returns a text without secrets: a scenario, a note, a shell command.
func Text(s string) string {
	for _, r := range rules {
		s = r.secret.ReplaceAllString(s, r.by)
	}
	return s
}

// Argv returns a command line without secrets. The value of a flag may hold
// spaces here.
func Argv(argv []string) []string {
	out := make([]string, len(argv))
	after := false // a flag whose value is a secret
	for i, arg := range argv {
		flag := strings.HasPrefix(arg, "-")
		switch before, _, valued := strings.Cut(arg, "="); {
		case after && !flag:
			out[i], after = mark, false
		case flag && valued && name.MatchString(before):
			out[i], after = before+"="+mark, false
		default:
			out[i], after = Text(arg), flag && !valued && name.MatchString(arg)
		}
	}
	return out
}
