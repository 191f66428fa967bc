package access

import (
	"errors"
	"fmt"
	"strings"
)

// secret reads a password: from the file that a flag names, or else from the
// environment. "" is none.
func secret(flagName, file, variable string, environ func(string) string) (string, error) {
	set := environ(variable)
	if file == "" {
		return set, nil
	}
	if set != "" {
		return "", fmt.Errorf("--%s and %s are both given: which password is meant? Leave one out", flagName, variable)
	}
	b, err := readSmall(file)
	if err != nil {
		return "", fmt.Errorf("--%s: %w", flagName, err)
	}
	// Editors and echo end a file with a line's end, which is no part of it.
	text := strings.TrimRight(string(b), "\r\n")
	switch {
	case text == "":
		return "", fmt.Errorf("--%s %s: %w", flagName, file, errEmpty)
	case strings.ContainsAny(text, "\r\n"):
		return "", fmt.Errorf("--%s %s: %w", flagName, file, errLines)
	}
	return text, nil
}

var errLines = errors.New("more than one line: want the password alone")
