package compare

import (
	"fmt"

	"roost/loadgen/result"
)

// ReadSide reads the files of one side.
func ReadSide(label string, files []string) (Side, error) {
	s := Side{Label: label}
	for _, file := range files {
		r, err := result.ReadFile(file)
		if err != nil {
			return s, fmt.Errorf("side %s: %w", label, err)
		}
		s.Runs = append(s.Runs, Run{File: file, Result: r})
	}
	return s, nil
}
