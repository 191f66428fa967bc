package chaos

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// operator runs roostctl while everything else is hurt, one command after the other. That a command
// fails is no fault: etcd may be away.
type operator struct {
	// Static after newOperator.
	x      *trial
	orders chan []string
	stop   func() // waits for what is under way; may be called again

	mu   sync.Mutex
	said []string
}

// orderTime is how long a command may take.
const orderTime = 15 * time.Second

func newOperator(x *trial) *operator {
	o := &operator{x: x, orders: make(chan []string, 4*faultsAnyhow)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for args := range o.orders {
			o.run(args)
		}
	})
	o.stop = sync.OnceFunc(func() {
		close(o.orders)
		wg.Wait()
		for _, s := range o.said {
			x.say("%s", s)
		}
	})
	return o
}

func (o *operator) run(args []string) (done bool) {
	ctx, cancel := context.WithTimeout(o.x.ctx, orderTime)
	defer cancel()
	at := o.x.now()
	out, err := o.x.command(ctx, args...).CombinedOutput()
	what := "done"
	if err != nil {
		what = err.Error()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, fmt.Sprintf("operator at %.2f s: %s: %s: %s", at.Seconds(), strings.Join(args, " "), what, lastLine(string(out))))
	return err == nil
}

// order has a command run in its turn.
func (o *operator) order(args ...string) func() {
	return func() { o.orders <- args }
}

// targets are what operators do, and take back.
func (o *operator) targets() (targets [][]hurting) {
	for _, n := range o.x.cluster.Nodes {
		unpin := o.order("ring", "apply", "--unpin", n.ID, "--measure", "-1s", "--now")
		targets = append(targets, []hurting{
			{n.ID + " is halved", o.order("ring", "apply", "--set", n.ID+":0.5", "--measure", "-1s", "--now", "--force"), unpin},
			{n.ID + " is doubled on trial", o.order("ring", "apply", "--set", n.ID+":2", "--measure", "-1s", "--force"), unpin},
			{n.ID + " is drained", o.order("drain", n.ID, "--over", "5s", "--force"), o.order("drain", n.ID, "--stop")},
		})
	}
	return append(targets, []hurting{{"what is in force is taken back", o.order("ring", "rollback"), func() {}}})
}

// undo takes back what an operator could not while etcd was away.
func (o *operator) undo() {
	for _, n := range o.x.cluster.Nodes {
		o.x.await("an operator stops the drain of "+n.ID, time.Minute, func() error {
			if said, code := o.x.ctl("drain", n.ID, "--stop"); code != 0 {
				return fmt.Errorf("exit code %d: %s", code, said)
			}
			return nil
		})
	}
}
