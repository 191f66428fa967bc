package poller

import (
	"fmt"
	"runtime"
	"time"
)

// IOUringMode says whether casts may use io_uring.
type IOUringMode uint8

const (
	// IOUringAuto uses io_uring where a probe at start shows that the kernel
	// allows it and reports short sends; elsewhere sendto.
	IOUringAuto IOUringMode = iota
	// IOUringOff always uses sendto.
	IOUringOff
)

// Options configures a Poller. The zero value of a field means its default.
type Options struct {
	// NewHandler makes the handler of one loop; all its calls come from that
	// loop, so it needs no locks. Required.
	NewHandler func(l *Loop) Handler

	// Loops is the number of event loops, each a goroutine with its own epoll,
	// listener and connections. Default: the number of usable cores.
	Loops int

	// Listen is the TCP address host:port to accept on; port 0 picks one. Empty
	// means that connections are only dialled.
	Listen string

	// MaxConns caps the connections of all loops; past it a connection is
	// accepted, sent Refusal, and closed. Default: MaxSlots per loop.
	MaxConns int

	// Refusal is what a connection past the cap, or past the process's
	// descriptors, is sent before it is closed. It must fit a socket's empty
	// buffer. Default: nothing.
	Refusal []byte

	// Limits are the bounds of output queues; a connection starts with the
	// first and SetLimit chooses another. Default: DefaultLimits alone.
	Limits []Limits

	// MaxPartial bounds the bytes that the handler may leave unconsumed without
	// pausing. Default 64 KiB.
	MaxPartial int

	// WriteTimeout ends a connection that has output waiting and whose socket
	// takes nothing for so long. Default 10 s.
	WriteTimeout time.Duration

	// Linger is how long a finished connection waits for the peer's FIN.
	// Default 2 s.
	Linger time.Duration

	// SendBuffer is SO_SNDBUF in bytes as given to the kernel, which doubles it
	// for its own bookkeeping. It bounds what a peer that does not read hides
	// in the kernel (4 MB with autotuning on loopback). Default 64 KiB;
	// negative leaves autotuning on.
	SendBuffer int

	// NotSentLowat is TCP_NOTSENT_LOWAT: a socket with more unsent bytes counts
	// as full. Default 32 KiB; negative leaves the system's setting.
	NotSentLowat int

	// IOUring chooses how casts are sent.
	IOUring IOUringMode
}

// withDefaults fills in defaults and refuses what cannot work.
func (o Options) withDefaults() (Options, error) {
	if o.NewHandler == nil {
		return o, fmt.Errorf("poller: Options.NewHandler is not set")
	}
	if o.Loops == 0 {
		o.Loops = min(runtime.NumCPU(), MaxLoops)
	}
	if o.Loops < 1 || o.Loops > MaxLoops {
		return o, fmt.Errorf("poller: Options.Loops is %d: want 1 to %d", o.Loops, MaxLoops)
	}
	if o.MaxConns < 0 {
		return o, fmt.Errorf("poller: Options.MaxConns is %d: want 0 (no cap) or more", o.MaxConns)
	}
	setDefault(&o.MaxConns, o.Loops*MaxSlots)
	setDefault(&o.MaxPartial, 64<<10)
	setDefault(&o.WriteTimeout, 10*time.Second)
	setDefault(&o.Linger, 2*time.Second)
	setDefault(&o.SendBuffer, 64<<10)
	setDefault(&o.NotSentLowat, 32<<10)
	if o.MaxPartial < 0 || o.WriteTimeout < 0 || o.Linger < 0 {
		return o, fmt.Errorf("poller: Options.MaxPartial, WriteTimeout or Linger is negative: %d, %s, %s",
			o.MaxPartial, o.WriteTimeout, o.Linger)
	}
	if len(o.Limits) > 256 {
		return o, fmt.Errorf("poller: Options.Limits has %d entries: want at most 256", len(o.Limits))
	}
	o.Limits = append([]Limits(nil), o.Limits...)
	if len(o.Limits) == 0 {
		o.Limits = []Limits{DefaultLimits}
	}
	for i := range o.Limits {
		lim := &o.Limits[i]
		if lim.Messages < 0 || lim.Bytes < 0 || lim.Control < 0 || lim.ControlBytes < 0 {
			return o, fmt.Errorf("poller: Options.Limits[%d] has a negative bound: %+v", i, *lim)
		}
		setDefault(&lim.Messages, DefaultLimits.Messages)
		setDefault(&lim.Bytes, DefaultLimits.Bytes)
		setDefault(&lim.Control, DefaultLimits.Control)
		setDefault(&lim.ControlBytes, DefaultLimits.ControlBytes)
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
