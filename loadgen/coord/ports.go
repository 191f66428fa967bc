package coord

import (
	"strconv"
	"strings"
)

// ports returns the part of a range of source ports that is the i-th of n
// workers on one machine: nothing for the kernel's choice.
func ports(text string, i, n int) [2]uint16 {
	lo, hi, ok := strings.Cut(text, "-")
	if !ok {
		return [2]uint16{}
	}
	first, err := strconv.ParseUint(strings.TrimSpace(lo), 10, 16)
	if err != nil {
		return [2]uint16{}
	}
	last, err := strconv.ParseUint(strings.TrimSpace(hi), 10, 16)
	if err != nil || last < first || n < 1 {
		return [2]uint16{}
	}
	size := int(last-first) + 1
	from, to := size*i/n, size*(i+1)/n
	if from == to {
		return [2]uint16{uint16(first), uint16(last)} // fewer ports than workers: all share
	}
	return [2]uint16{uint16(int(first) + from), uint16(int(first) + to - 1)}
}
