package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxInput bounds a file that is read: a scenario has at most 1 MiB, a replay
// 50,000 lines.
const maxInput = 16 << 20

// readInput reads a file, or a pipe such as that of <(...): whatever else has a
// name, a device or a directory, has no end or nothing to say.
func readInput(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if m := info.Mode(); !m.IsRegular() && m&fs.ModeNamedPipe == 0 {
		return nil, fmt.Errorf("%s is %s: want a file", name, kindOf(m))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxInput+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxInput:
		return nil, fmt.Errorf("%s is larger than %d MiB: no scenario or replay is", name, maxInput>>20)
	}
	return text, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "no regular file"
}
