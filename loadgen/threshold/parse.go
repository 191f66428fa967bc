package threshold

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is read.
const (
	maxText     = 256
	maxMetric   = 128
	maxSegments = 8
	maxDigits   = 32
	maxValue    = 1e24 // more than any count, size or time in ns
)

// Error says what is wrong with a condition, and where.
type Error struct {
	Text   string // the condition
	Offset int    // in bytes, of what is wrong
	What   string // what is wrong, and what to write
}

// Error names the place by its column, counted in characters from 1.
func (e *Error) Error() string {
	return fmt.Sprintf("threshold %q, column %d: %s", e.Text, utf8.RuneCountInString(e.Text[:e.Offset])+1, e.What)
}

// Parse reads a condition:
//
//	metric OP value[unit] [abort [after duration]]
//
// OP is one of < <= > >= ==. The error is an *Error.
func Parse(text string) (Expr, error) {
	if len(text) > maxText {
		return Expr{}, &Error{text[:32] + "...", 0, fmt.Sprintf("is %d bytes long: want at most %d", len(text), maxText)}
	}
	p := parser{text: text}
	e := Expr{Metric: p.metric()}
	e.Op = p.op()
	e.Value, e.Unit = p.value()
	e.Abort, e.After = p.abort()
	if p.err != nil {
		return Expr{}, p.err
	}
	return e, nil
}

// parser reads from left to right and stops at the first mistake: what follows
// it cannot be told.
type parser struct {
	text string
	at   int
	err  error
}

// fail keeps the first mistake.
func (p *parser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = &Error{p.text, at, fmt.Sprintf(format, args...)}
	}
}

// word skips white space and takes what follows as long as in takes it.
func (p *parser) word(in func(c byte) bool) (word string, at int) {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
	at = p.at
	for p.at < len(p.text) && in(p.text[p.at]) {
		p.at++
	}
	return p.text[at:p.at], at
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isName(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' || c == '-' }

func (p *parser) metric() string {
	name, at := p.word(func(c byte) bool { return isName(c) || c == '.' })
	if name == "" {
		p.fail(at, "want a metric first, such as delivery.p99 < 50ms")
		return ""
	}
	if head, is := strings.CutSuffix(name, ".p99.9"); is {
		name = head + ".p999" // what it is called
	}
	segments := strings.Split(name, ".")
	if len(name) > maxMetric {
		p.fail(at, "the metric's name is %d bytes long: want at most %d", len(name), maxMetric)
	}
	if len(segments) > maxSegments {
		p.fail(at, "has %d names joined by dots: want [phase.][group.]metric[.quantile]", len(segments))
	}
	for _, s := range segments {
		if s == "" || !isLetter(s[0]) {
			p.fail(at, "want names joined by dots, each beginning with a letter, such as hold.delivery.p99")
		}
		at += len(s) + 1
	}
	return name
}

func (p *parser) op() Op {
	op, at := p.word(func(c byte) bool { return strings.IndexByte("<>=!~", c) >= 0 })
	switch o := Op(op); o {
	case Less, LessEqual, Greater, GreaterEqual, Equal:
		return o
	case "=":
		p.fail(at, "want == for equal")
	default:
		p.fail(at, "want one of < <= > >= == here")
	}
	return ""
}

func (p *parser) value() (v float64, unit string) {
	digits, at := p.word(func(c byte) bool { return isDigit(c) || c == '_' || c == '.' })
	if p.at < len(p.text) && digits == "" && (p.text[p.at] == '-' || p.text[p.at] == '+') {
		p.fail(at, "want a number without a sign")
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if _, err := strconv.ParseFloat(digits, 64); err != nil || !isDigit(digits[0]) {
		p.fail(at, "want a number here, such as 50ms, 300 or 99.9%%")
		return 0, ""
	}
	number, from := at, p.at
	unit, at = p.word(func(c byte) bool { return isLetter(c) || c == '%' })
	if unit == "abort" && at > from {
		p.at, unit = from, ""
	}
	if _, known := units[unit]; !known {
		p.fail(at, "unknown unit %q: want one of %s, or none", unit, unitNames)
	}
	v, err := scaled(digits, units[unit])
	if err != nil || v > maxValue || len(digits) > maxDigits {
		p.fail(number, "has more than %d digits, or is above %g: no metric is like that", maxDigits, maxValue)
	}
	return v, unit
}

func (p *parser) abort() (abort bool, after time.Duration) {
	notSpace := func(c byte) bool { return c != ' ' && c != '\t' }
	word, at := p.word(notSpace)
	if word == "" {
		return false, 0
	}
	if word != "abort" {
		p.fail(at, "want the end here, or abort, or abort after 10s")
		return false, 0
	}
	if word, at = p.word(notSpace); word == "" {
		return true, 0
	}
	if word != "after" {
		p.fail(at, "want the end here, or after 10s")
		return false, 0
	}
	word, at = p.word(notSpace)
	after, err := time.ParseDuration(word)
	if err != nil || after <= 0 {
		p.fail(at, "want a duration above 0 after \"after\", such as 10s")
	}
	if rest, at := p.word(notSpace); rest != "" {
		p.fail(at, "want the end here")
	}
	return true, after
}
