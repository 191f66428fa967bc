package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"roost/ring/verify"
)

// mostLine bounds a line of ids.
const mostLine = 64 << 10

// idSource is where ids come from: exactly one of its fields is set.
type idSource struct {
	ids      []string   // the command line
	file     string     // lines; "-" is standard input
	generate *generator // made up
}

// check requires that ids come from one place.
func (s *idSource) check() error {
	ways := 0
	for _, set := range []bool{len(s.ids) > 0, s.file != "", s.generate != nil} {
		if set {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("say which ids: as arguments, --file FILE, - for standard input, or --generate N")
	case ways > 1:
		return errors.New("ids come from one place: arguments, --file FILE, - for standard input, or --generate N")
	}
	return nil
}

// each calls f for each id. f must not keep id.
func (s *idSource) each(ctx context.Context, in io.Reader, f func(id []byte, count uint64) error) error {
	switch {
	case s.generate != nil:
		return s.generate.each(ctx, f)
	case s.file == "-":
		return eachLine(newInput(ctx, in), "standard input", f)
	case s.file != "":
		file, in, err := openFile(ctx, s.file)
		if err != nil {
			return err
		}
		defer file.Close()
		return eachLine(in, s.file, f)
	}
	for _, id := range s.ids {
		if err := f([]byte(id), 1); err != nil {
			return err
		}
	}
	return nil
}

// eachLine reads lines: an id, or an id, a tab and a count. Empty lines are passed
// over; a carriage return at the end, and a byte order mark before the first line, are
// none of the id.
func eachLine(r io.Reader, name string, f func(id []byte, count uint64) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, mostLine), mostLine)
	n := 0
	for lines.Scan() {
		line := lines.Bytes()
		if n++; n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		id, count, err := parseLine(line)
		if err == nil && len(id) > 0 {
			err = f(id, count)
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", name, n, err)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s, line %d: an id has at most %d bytes: is it a list of ids, one a line?", name, n+1, mostLine)
	} else if errors.Is(err, errInterrupted) {
		return err
	} else if err != nil {
		return fmt.Errorf("%s, line %d: %w", name, n+1, err)
	}
	return nil
}

// parseLine reads "id" or "id<TAB>count". The id is empty in an empty line.
func parseLine(line []byte) (id []byte, count uint64, err error) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	tab := bytes.LastIndexByte(line, '\t')
	if tab < 0 {
		return line, 1, nil
	}
	id, digits := line[:tab], line[tab+1:]
	if count, err = strconv.ParseUint(string(digits), 10, 64); err != nil || count > verify.MaxCount {
		return nil, 0, fmt.Errorf("count %.40q after the tab is not a whole number from 0 to %d", digits, int64(verify.MaxCount))
	}
	if len(id) == 0 {
		return nil, 0, errors.New("there is a count, but no id before it")
	}
	return id, count, nil
}
