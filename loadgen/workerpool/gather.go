package workerpool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/link"
	"roost/loadgen/worker"
)

// Options say of whom a pool is made.
type Options struct {
	Clock *clock.Clock

	// Local is how many workers there are on this machine. They are processes
	// that Command starts, which have to call Inherited, or with a nil Command,
	// which is possible for one, a goroutine that is made of Parts.
	Local   int
	Command []string
	Env     []string // of children, beside that of this process
	Parts   worker.Parts

	// Expect is how many remote workers have to join, by connecting to Listen with
	// Token, within Wait (0: a minute).
	Expect int
	Listen string
	Token  string
	Wait   time.Duration

	// Log takes what children print to stderr, and who joins.
	Log io.Writer
}

// helloTimeout is how long a worker may take from its start, or from its
// connection, to its first message.
const helloTimeout = 10 * time.Second

// Gather starts the workers and waits until all have said hello. If one of them
// cannot be had there is no pool, and an error.
func Gather(ctx context.Context, o Options) (*Pool, error) {
	if o.Local+o.Expect < 1 {
		return nil, errors.New("a run needs at least one worker")
	}
	if o.Local > 1 && len(o.Command) == 0 {
		return nil, fmt.Errorf("%d workers need processes of their own", o.Local)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	log := newLog(o.Log)
	var members []*Member
	fail := func(err error) (*Pool, error) {
		for _, m := range members {
			m.Kill()
			if m.gone != nil {
				<-m.gone
			}
		}
		return nil, err
	}
	for i := range o.Local {
		m, err := local(ctx, i, o, log)
		if m != nil {
			members = append(members, m)
		}
		if err != nil {
			return fail(fmt.Errorf("worker %d: %w", i, err))
		}
	}
	if err := hellos(ctx, members); err != nil {
		return fail(err)
	}
	if o.Expect > 0 {
		remotes, err := acceptRemotes(ctx, o, log)
		members = append(members, remotes...)
		if err != nil {
			return fail(err)
		}
	}
	return newPool(members, o.Clock), nil
}

// local starts a worker of this machine.
func local(ctx context.Context, i int, o Options, log *log) (*Member, error) {
	if len(o.Command) > 0 {
		return spawn(i, o, log)
	}
	ours, theirs := link.Pair()
	gone := make(chan struct{})
	why := "done"
	go func() {
		defer close(gone)
		// Whoever ends the run does so by the link, so that accounts are closed.
		if err := worker.Serve(context.WithoutCancel(ctx), theirs, o.Parts); err != nil {
			why = err.Error()
		}
	}()
	return &Member{Where: "this process", link: ours, gone: gone, exit: func() string { <-gone; return why }}, nil
}

// hellos waits for the first message of each.
func hellos(ctx context.Context, members []*Member) error {
	deadline, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	for i, m := range members {
		stop := context.AfterFunc(deadline, func() { _ = m.link.Close() })
		msg, err := m.link.Receive()
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case deadline.Err() != nil:
			err = fmt.Errorf("it said nothing within %v", helloTimeout)
		case err != nil:
			err = m.end(err)
		case msg.Hello == nil:
			err = errors.New("its first message is no hello")
		case msg.Hello.Version != link.Version:
			err = versionError(msg.Hello.Version)
		default:
			m.Hello = msg.Hello
			trust(m.link)
		}
		stop()
		if err != nil {
			return fmt.Errorf("worker %d (%s): %w", i, m.Where, err)
		}
	}
	return nil
}

func versionError(theirs int) error {
	return fmt.Errorf("it speaks version %d of the protocol, this loadgen version %d: use the same loadgen everywhere", theirs, link.Version)
}

// trust lifts the bounds that hold for who has not proven himself.
func trust(l link.Link) {
	if c, ok := l.(*link.Conn); ok {
		c.Trust()
	}
}
