package experiment

import (
	"errors"
	"strings"
)

// Words splits a command line as a POSIX shell would that knows only words and
// quotes: '...' is literal, in "..." a backslash stands before " and \, outside
// before anything. There are no variables, globs or redirections.
func Words(line string) (words []string, err error) {
	var word strings.Builder
	inWord := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case '\'', '"':
			inWord = true
			i++
			for ; i < len(line) && line[i] != c; i++ {
				if c == '"' && line[i] == '\\' && i+1 < len(line) && (line[i+1] == '"' || line[i+1] == '\\') {
					i++
				}
				word.WriteByte(line[i])
			}
			if i == len(line) {
				return nil, errors.New("a quote that is not closed: " + string(c))
			}
		case '\\':
			if i+1 == len(line) {
				return nil, errors.New("a backslash at the end")
			}
			i++
			word.WriteByte(line[i])
			inWord = true
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
