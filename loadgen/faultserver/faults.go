package faultserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Faults is what a server does other than well. The zero value is nothing.
// Counts of N are "every Nth"; 0 is never.
type Faults struct {
	// Of deliveries. Where several fall on the same one, the first in this order
	// is done.
	Drop      int // is not made
	Duplicate int // is made twice
	Corrupt   int // has one byte changed
	Swap      int // is made behind the next one of the same connection
	Slow      int // is made SlowBy later
	SlowBy    time.Duration
	Delay     time.Duration // of every delivery, by Slow too

	// Of connections.
	Refuse       int           // every Nth upgrade is answered with 503
	Accept       time.Duration // upgrades are answered so much later
	Unanswered   bool          // upgrades are never answered
	CloseAfter   time.Duration // so long after the upgrade the connection is closed ...
	CloseCode    int           // ... with this code
	ResetAfter   time.Duration // so long after the upgrade the connection is reset
	StopReading  int           // a connection is not read any more after so many messages
	StopSending  int           // nobody is sent anything any more after so many messages of anybody
	FreezeAt     time.Duration // after the first message
	FreezeLength time.Duration // the whole server does nothing for so long
}

// option is one word of a behaviour as text.
type option struct {
	name  string
	value string // for usage
	parse func(b *Faults, value string) error
	print func(b *Faults) string // empty: not set
}

// options are in the order in which they are printed.
var options = []option{
	duration("delay", func(b *Faults) *time.Duration { return &b.Delay }),
	pair("slow", "N@TIME", func(b *Faults) (*int, *time.Duration) { return &b.Slow, &b.SlowBy }),
	count("drop", func(b *Faults) *int { return &b.Drop }),
	count("duplicate", func(b *Faults) *int { return &b.Duplicate }),
	count("corrupt", func(b *Faults) *int { return &b.Corrupt }),
	count("swap", func(b *Faults) *int { return &b.Swap }),
	count("refuse", func(b *Faults) *int { return &b.Refuse }),
	duration("accept", func(b *Faults) *time.Duration { return &b.Accept }),
	{name: "unanswered", parse: func(b *Faults, v string) error {
		b.Unanswered = true
		if v != "" {
			return fmt.Errorf("takes no value")
		}
		return nil
	}, print: func(b *Faults) string {
		if b.Unanswered {
			return "unanswered"
		}
		return ""
	}},
	pair("close", "CODE@TIME", func(b *Faults) (*int, *time.Duration) { return &b.CloseCode, &b.CloseAfter }),
	duration("reset", func(b *Faults) *time.Duration { return &b.ResetAfter }),
	count("stop-reading", func(b *Faults) *int { return &b.StopReading }),
	count("stop-sending", func(b *Faults) *int { return &b.StopSending }),
	{name: "freeze", value: "TIME@TIME", parse: func(b *Faults, v string) (err error) {
		length, at, _ := strings.Cut(v, "@")
		if b.FreezeLength, err = positive(length); err == nil {
			b.FreezeAt, err = positive(at)
		}
		return err
	}, print: func(b *Faults) string {
		if b.FreezeLength == 0 {
			return ""
		}
		return fmt.Sprintf("freeze=%v@%v", b.FreezeLength, b.FreezeAt)
	}},
}

func duration(name string, of func(*Faults) *time.Duration) option {
	return option{name: name, value: "TIME",
		parse: func(b *Faults, v string) (err error) {
			*of(b), err = positive(v)
			return err
		},
		print: func(b *Faults) string {
			if *of(b) == 0 {
				return ""
			}
			return fmt.Sprintf("%s=%v", name, *of(b))
		}}
}

func count(name string, of func(*Faults) *int) option {
	return option{name: name, value: "N",
		parse: func(b *Faults, v string) (err error) {
			*of(b), err = number(v)
			return err
		},
		print: func(b *Faults) string {
			if *of(b) == 0 {
				return ""
			}
			return fmt.Sprintf("%s=%d", name, *of(b))
		}}
}

func pair(name, value string, of func(*Faults) (*int, *time.Duration)) option {
	return option{name: name, value: value,
		parse: func(b *Faults, v string) (err error) {
			n, at := of(b)
			first, second, _ := strings.Cut(v, "@")
			if *n, err = number(first); err == nil {
				*at, err = positive(second)
			}
			return err
		},
		print: func(b *Faults) string {
			if n, at := of(b); *n != 0 {
				return fmt.Sprintf("%s=%d@%v", name, *n, *at)
			}
			return ""
		}}
}

// longest is far beyond what anybody waits for.
const longest = time.Hour

func positive(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longest {
		return 0, fmt.Errorf("time %q: want one above 0 and at most %v, such as 5ms", text, longest)
	}
	return d, nil
}

func number(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1e9 {
		return 0, fmt.Errorf("count %q: want 1 to 1000000000", text)
	}
	return n, nil
}

// Parse reads a behaviour as String writes it: "delay=5ms,drop=100", empty for
// none. The error says which word is wrong and what there is.
func Parse(text string) (b Faults, err error) {
	if text == "" {
		return b, nil
	}
	for _, word := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(word, "=")
		i := slices.IndexFunc(options, func(o option) bool { return o.name == name })
		if i < 0 {
			return b, fmt.Errorf("behaviour %q: want some of %s", word, Usage())
		}
		if err := options[i].parse(&b, value); err != nil {
			return b, fmt.Errorf("behaviour %q: want %s: %w", word, options[i].usage(), err)
		}
	}
	if b.CloseCode != 0 && (b.CloseCode < 1000 || b.CloseCode > 4999) {
		return b, fmt.Errorf("behaviour close=%d: want a close code of 1000 to 4999", b.CloseCode)
	}
	return b, nil
}

func (o *option) usage() string {
	if o.value == "" {
		return o.name
	}
	return o.name + "=" + o.value
}

// Usage lists what Parse takes.
func Usage() string {
	var words []string
	for i := range options {
		words = append(words, options[i].usage())
	}
	return strings.Join(words, ",")
}

// String is the text that Parse reads.
func (b Faults) String() string {
	var words []string
	for i := range options {
		if w := options[i].print(&b); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, ",")
}

// fate is what becomes of one delivery.
type fate uint8

const (
	plain fate = iota
	dropped
	duplicated
	corrupted
	swapped
	slowed
)

// fate returns what becomes of delivery n, counted from 0.
func (b *Faults) fate(n uint64) fate {
	switch {
	case every(b.Drop, n):
		return dropped
	case every(b.Duplicate, n):
		return duplicated
	case every(b.Corrupt, n):
		return corrupted
	case every(b.Swap, n):
		return swapped
	case every(b.Slow, n):
		return slowed
	}
	return plain
}

// every reports whether event n, from 0, is an Nth.
func every(N int, n uint64) bool { return N > 0 && n%uint64(N) == uint64(N)-1 }

// none reports that deliveries go straight out.
func (b *Faults) none() bool {
	return b.Drop == 0 && b.Duplicate == 0 && b.Corrupt == 0 && b.Swap == 0 && b.Slow == 0 && b.Delay == 0 && b.StopSending == 0
}
