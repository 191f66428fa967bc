package scenario

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Quantity is a kind of value that a parameter has, such as can be searched.
type Quantity int

// Quantities, with what their whole numbers are of.
const (
	CountQuantity Quantity = iota // 1
	RateQuantity                  // 1/s
	TimeQuantity                  // ms
	SizeQuantity                  // bytes
)

// QuantityOf returns the kind of a value by how it is written: 1000, 100/s, 30s,
// 4KiB. A share or a word is none of them.
func QuantityOf(text string) (q Quantity, ok bool) {
	if _, err := parseCount(text); err == nil {
		return CountQuantity, true
	}
	if _, err := parseRate(text); err == nil {
		return RateQuantity, true
	}
	if _, err := parseDuration(text); err == nil {
		return TimeQuantity, true
	}
	_, err := parseSize(text)
	return SizeQuantity, err == nil
}

// Read reads a value as a file has it. A rate may be without its "/s".
func (q Quantity) Read(text string) (int64, error) {
	switch q {
	case RateQuantity:
		if n, err := parseCount(text); err == nil {
			return int64(n), nil
		}
		x, err := parseRate(text)
		if err == nil && x != math.Trunc(x) {
			err = fmt.Errorf("%s: want a whole number a second", quoted(text))
		}
		return int64(x), err
	case TimeQuantity:
		d, err := parseDuration(text)
		return d.Milliseconds(), err
	case SizeQuantity:
		n, err := parseSize(text)
		return int64(n), err
	}
	n, err := parseCount(text)
	return int64(n), err
}

// Write writes what Read reads, as a file has it.
func (q Quantity) Write(n int64) string {
	switch q {
	case RateQuantity:
		return strconv.FormatInt(n, 10) + "/s"
	case TimeQuantity:
		return (time.Duration(n) * time.Millisecond).String()
	case SizeQuantity:
		return strconv.FormatInt(n, 10) + "B"
	}
	return strconv.FormatInt(n, 10)
}
