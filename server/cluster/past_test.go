package cluster

import (
	"context"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/server/testetcd"
)

// TestPast: the pointers of before are there, the newest first, until etcd forgets them.
func TestPast(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	v := c.Versions()
	if past, err := v.Past(limit(t), 9); err != nil || len(past) != 0 {
		t.Errorf("before there is one: %+v, %v", past, err)
	}
	for _, r := range []uint64{1, 2} {
		if _, err := v.Put(limit(t), built(t, r, "a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	var made []Pointer
	for _, change := range []func(context.Context, int64) (Pointer, error){
		func(ctx context.Context, at int64) (Pointer, error) { return v.Activate(ctx, at, 1, tell) },
		func(ctx context.Context, at int64) (Pointer, error) { return v.Canary(ctx, at, 2, 500, tell) },
		func(ctx context.Context, at int64) (Pointer, error) { return v.Rollback(ctx, at, tell) },
	} {
		at := int64(0)
		if len(made) > 0 {
			at = made[len(made)-1].Activation
		}
		p, err := change(limit(t), at)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, p)
	}
	past, err := v.Past(limit(t), 9)
	if err != nil || len(past) != 3 {
		t.Fatalf("%+v, %v", past, err)
	}
	for i := range past {
		if want := made[2-i]; past[i].Activation != want.Activation || past[i].Canary != want.Canary || past[i].RolledBack != want.RolledBack {
			t.Errorf("%d before: %+v, want %+v", i, past[i], want)
		}
	}
	if past, err := v.Past(limit(t), 2); err != nil || len(past) != 2 {
		t.Errorf("two at most: %+v, %v", past, err)
	}
	if _, err := c.etcd.Compact(limit(t), made[1].Activation, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	if past, err := v.Past(limit(t), 9); err != nil || len(past) != 2 {
		t.Errorf("the first is forgotten: %+v, %v", past, err)
	}
}
