package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roost/server/wire"
)

// reads takes requests for topics until there are n, answers each with err, and
// returns them.
func (p *peer) reads(n int, err *wire.Error) (list []string) {
	for range n {
		var s said
		for s = p.next(); s.code == 0 && s.up.Op == wire.OpHeartbeat; s = p.next() {
		}
		list = append(list, fmt.Sprintf("%v %s", s.up.Op, s.up.Channel))
		if s.code == 0 {
			p.send(wire.AppendResult(nil, p.form, s.up.Request, err))
		}
	}
	return list
}

// TestClientSubscribes: topics are repeated after each welcome, and requests
// that a connection took with it are done on the next.
func TestClientSubscribes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rounds [3][]string
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			rounds[0] = p.reads(2, nil)
			if up := p.want(wire.OpSubscribe); string(up.Channel) != "c" {
				t.Errorf("got %+v", up)
			}
			p.close(4001, "before c was answered")
		}, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			rounds[1] = append(p.reads(3, nil), p.reads(1, nil)...)
			p.close(4001, "")
		}, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			rounds[2] = p.reads(2, nil)
			p.end()
		})
		d := start(t, n, Options{})
		ctx := context.Background()
		for _, topic := range []string{"b", "a", "c"} {
			if err := d.Subscribe(ctx, topic); err != nil {
				t.Errorf("%s: %v", topic, err)
			}
		}
		if err := d.Unsubscribe(ctx, "b"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		d.stop()
		want := [][]string{{"sub b", "sub a"}, {"sub a", "sub b", "sub c", "unsub b"}, {"sub a", "sub c"}}
		for i := range want {
			if !slices.Equal(rounds[i], want[i]) {
				t.Errorf("connection %d was asked %v, want %v", i, rounds[i], want[i])
			}
		}
	})
}

func TestClientIsRefusedATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.reads(1, &wire.Error{Code: wire.CodeLimit, Text: "at most 64"})
			p.reads(1, nil)
			p.reads(1, &wire.Error{Code: wire.CodeUnavailable, Text: "later"})
			p.close(4001, "")
		}, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			if got := p.reads(1, nil); got[0] != "sub held" {
				t.Errorf("repeated %v", got)
			}
			p.end()
		})
		d := start(t, n, Options{})
		var refused *wire.Error
		if err := d.Subscribe(context.Background(), "a"); !errors.As(err, &refused) || refused.Code != wire.CodeLimit || refused.Text != "at most 64" {
			t.Errorf("got %v", err)
		}
		if err := d.Subscribe(context.Background(), "held"); err != nil {
			t.Error(err)
		}
		if err := d.Unsubscribe(context.Background(), "held"); !errors.As(err, &refused) || refused.Code != wire.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Minute)
		d.stop()
	})
}

// TestClientRequestsEnd: nobody waits for ever, nor for the opposite.
func TestClientRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			for p.next().code == 0 { // never an answer
			}
		})
		d := start(t, n, Options{})
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := d.Subscribe(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		errs := make(chan error, 2)
		go func() { errs <- d.Subscribe(context.Background(), "b") }()
		synctest.Wait()
		go func() { errs <- d.Unsubscribe(context.Background(), "b") }()
		if err := <-errs; !errors.Is(err, ErrChanged) {
			t.Errorf("got %v", err)
		}
		d.stop()
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
		if err := d.Subscribe(context.Background(), "a b"); !errors.Is(err, ErrTopic) {
			t.Errorf("got %v", err)
		}
	})
}

func TestClientRemembersABoundedNumberOfTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t, newNode(t), Options{})
		for i := range mostTopics {
			go d.Subscribe(context.Background(), fmt.Sprint("t", i))
		}
		synctest.Wait()
		if err := d.Subscribe(context.Background(), "one more"); !errors.Is(err, ErrTopic) {
			t.Errorf("got %v", err)
		}
		d.stop()
	})
}

func TestClientSendsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		payload := `{"v":[1,"é"]}`
		n := newNode(t, func(p *peer) {
			p.accept()
			time.Sleep(time.Second)
			w := defaultWelcome("e", 0)
			w.Max = 1000
			p.send(wire.AppendWelcome(nil, p.form, &w))
			if up := p.want(wire.OpUp); string(up.Channel) != "state" || string(up.Payload) != payload {
				t.Errorf("got %+v", up)
			}
			p.end()
		})
		d := start(t, n, Options{})
		up := func(topic, payload string) error { return d.Up(context.Background(), topic, []byte(payload)) }
		if err := up("state", payload); !errors.Is(err, ErrNotConnected) {
			t.Errorf("before the welcome: %v", err)
		}
		time.Sleep(2 * time.Second)
		for _, tt := range []struct {
			topic, payload string
			want           error
		}{
			{"state", payload, nil},
			{"state", `{"v":}`, ErrPayload},
			{"state", ``, ErrPayload},
			{"a b", `1`, ErrTopic},
			{"state", `"` + strings.Repeat("x", 1000) + `"`, ErrTooBig},
		} {
			if err := up(tt.topic, tt.payload); !errors.Is(err, tt.want) {
				t.Errorf("%s %.20s: got %v, want %v", tt.topic, tt.payload, err, tt.want)
			}
		}
		synctest.Wait()
		d.stop()
	})
}

func TestClientRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := start(t, newNode(t), Options{})
		synctest.Wait()
		if err := d.Run(context.Background()); !errors.Is(err, ErrRunning) {
			t.Errorf("got %v", err)
		}
		d.stop()
		if err := d.Run(canceled()); !errors.Is(err, context.Canceled) {
			t.Errorf("again: %v", err)
		}
	})
}
