package redisskew

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"roost/ring/slots"
	"roost/server/testredis"
)

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestRead: a real Cluster, asked at a replica; one of its masters does not answer.
func TestRead(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six servers")
	}
	cluster := testredis.StartSteadyCluster(t, "--maxmemory", "64mb")
	for i := range 300 {
		for _, s := range cluster.Nodes()[:testredis.Masters] {
			_, _ = s.Do("SET", fmt.Sprint("key-", i), "value") // who does not have the slot refuses
		}
	}
	// Whoever is asked and whoever comes first.
	for _, addr := range cluster.Addrs() {
		c, err := Read(limit(t), Where{Addr: addr})
		if err != nil || len(c.Nodes) != testredis.Masters || len(c.Nodes[0].ID) != 40 || len(c.Nodes[2].ID) != 40 {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	c, err := Read(limit(t), Where{Addr: cluster.Addrs()[testredis.Masters+1]})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Nodes) != testredis.Masters || c.Slots != slots.Count {
		t.Fatalf("%+v", c)
	}
	keys := int64(0)
	for _, n := range c.Nodes {
		keys += n.Keys
		if n.Err != nil || n.MaxMemory != 64<<20 || n.Memory <= 0 || n.Slots < 5461 || len(n.Replicas) != 1 || len(n.ID) != 40 || n.Down || n.Moving != 0 {
			t.Errorf("%+v", n)
		}
	}
	if keys != 300 {
		t.Errorf("%d keys", keys)
	}
	s := cluster.Master(1)
	s.Kill()
	c, err = Read(limit(t), Where{Addr: cluster.Master(0).Addr()})
	if err != nil {
		t.Fatal(err)
	}
	silent := 0
	for _, n := range c.Nodes {
		if n.Err != nil {
			silent++
			if n.Keys != -1 || n.Memory != -1 {
				t.Errorf("%+v", n)
			}
		}
	}
	if silent != 1 && len(c.Nodes) == testredis.Masters { // unless its replica took over already
		t.Errorf("%d do not answer: %+v", silent, c.Nodes)
	}
}

// TestReadRefused: a Redis alone, nobody, and one that stands still.
func TestReadRefused(t *testing.T) {
	alone := testredis.Start(t)
	if _, err := Read(limit(t), Where{Addr: alone.Addr()}); !errors.Is(err, ErrNoCluster) {
		t.Errorf("%v", err)
	}
	if _, err := Read(limit(t), Where{Addr: "127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v", err)
	}
	alone.Pause()
	defer alone.Resume()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := Read(ctx, Where{Addr: alone.Addr()}); err == nil {
		t.Error("a Redis that stands still has answered")
	}
}
