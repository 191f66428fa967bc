package mesh

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

func TestOwner(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		m := r.at(1).m
		d := []byte(r.device("n2"))
		want := Place{Node: "n2", URL: "ws://n2", API: "http://n2", Zone: "z", Alive: true, Version: 1, Hash: 0xa1, Activation: 10}
		if got := m.Owner(d); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got := m.Owner([]byte(r.device("n1"))); !got.Mine || !got.Alive {
			t.Errorf("%+v", got)
		}
		// On trial.
		canary := r.ring(2, "n1", "n2")
		r.active(&cluster.Active{Routes: ring.NewRoutes(r.holder.Load().Routes.Stable(), canary, ring.ShareUnit),
			Pointer: cluster.Pointer{Stable: 1, StableHash: 0xa1, Canary: 2, CanaryHash: 0xa2, Share: ring.ShareUnit, Trial: 2, Activation: 11}})
		want.Canary, want.Version, want.Hash, want.Activation = true, 2, 0xa2, 11
		if got := m.Owner([]byte(r.device("n2"))); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		// Held, drained, gone.
		r.change(func(v *cluster.View) { v.Held["n2"] = time.Now() })
		if got := m.Owner([]byte(r.device("n2"))); got.Alive || got.Draining || got.URL != "ws://n2" {
			t.Errorf("held: %+v", got)
		}
		r.change(func(v *cluster.View) { v.Weights["n2"] = cluster.Weight{Value: 0} })
		if got := m.Owner([]byte(r.device("n2"))); got.Alive || !got.Draining {
			t.Errorf("draining: %+v", got)
		}
		r.change(func(v *cluster.View) { delete(v.Members, "n2"); delete(v.Weights, "n2") })
		if got := m.Owner([]byte(r.device("n2"))); got.Alive || got.URL != "ws://ring/n2" || got.API != "" {
			t.Errorf("gone: %+v", got)
		}
		r.active(&cluster.Active{Routes: ring.NewRoutes(nil, nil, 0)})
		if got := m.Owner(d); got != (Place{}) {
			t.Errorf("no ring: %+v", got)
		}
		if got, ok := m.Route(d, nil); ok {
			t.Errorf("no ring: %+v", got)
		}
	})
}

func TestRoute(t *testing.T) {
	play(t, 5, func(t *testing.T, r *rig) {
		m := r.at(1).m
		for i := range 200 {
			d := []byte(fmt.Sprint("dev-", i))
			owners := r.holder.Load().Routes.Stable().OwnersN(nil, ring.HashBytes(d), 5)
			var ids []string
			for _, v := range owners {
				ids = append(ids, r.holder.Load().Routes.Stable().Node(v).ID)
			}
			if p, ok := m.Route(d, nil); !ok || p.Node != ids[0] {
				t.Fatalf("%s goes to %s, its owner is %s", d, p.Node, ids[0])
			}
			p, ok := m.Route(d, ids[:1])
			again, _ := m.Route(d, ids[:1])
			if !ok || !slices.Contains(ids[1:4], p.Node) || again != p {
				t.Fatalf("%s goes to %s after %s: the next are %v", d, p.Node, ids[0], ids[1:4])
			}
			if p, ok := m.Route(d, ids[:4]); !ok || p.Node != ids[4] {
				t.Fatalf("%s goes to %s, only %s is left", d, p.Node, ids[4])
			}
			if p, ok := m.Route(d, ids); ok {
				t.Fatalf("%s goes to %s, and none is left", d, p.Node)
			}
			var all []string
			for _, p := range m.Candidates(nil, d, nil, 9) {
				all = append(all, p.Node)
			}
			if !slices.Equal(all, ids) {
				t.Fatalf("candidates %v, want %v", all, ids)
			}
		}
		d := []byte(r.device("n2"))
		r.change(func(v *cluster.View) { v.Weights["n2"] = cluster.Weight{} })
		if p, ok := m.Route(d, nil); !ok || p.Node == "n2" {
			t.Errorf("to a node that drains: %+v", p)
		}
		r.change(func(v *cluster.View) { clear(v.Members) })
		if p, ok := m.Route(d, nil); !ok || !p.Mine {
			t.Errorf("with nobody there but this node: %+v, %v", p, ok)
		}
		r.holder.view.Store(&cluster.View{})
		if p, ok := m.Route(d, nil); !ok || p.Node != "n2" || p.URL != "ws://ring/n2" || p.Alive {
			t.Errorf("with nothing known: %+v, %v", p, ok)
		}
	})
}

// TestRouteByWeights: devices of a node that has failed go to the others in proportion to what
// they can take.
func TestRouteByWeights(t *testing.T) {
	play(t, 4, func(t *testing.T, r *rig) {
		r.change(func(v *cluster.View) {
			v.Weights["n2"] = cluster.Weight{Value: 600}
			v.Weights["n3"] = cluster.Weight{Value: 300}
			delete(v.Weights, "n4") // expired: like the mean of the others among the candidates
		})
		got, total := map[string]float64{}, 0.0
		for i := 0; total < 20_000; i++ {
			d := []byte(fmt.Sprint("dev-", i))
			if r.at(2).m.Owner(d).Node == "n1" {
				p, _ := r.at(2).m.Route(d, []string{"n1"})
				got[p.Node]++
				total++
			}
		}
		for id, want := range map[string]float64{"n2": 600. / 1350, "n3": 300. / 1350, "n4": 450. / 1350} {
			if share := got[id] / total; math.Abs(share-want) > 0.02 {
				t.Errorf("%s gets %.3f, want %.3f", id, share, want)
			}
		}
	})
}

func TestPick(t *testing.T) {
	for _, weights := range [][]float64{{0}, {0, 0}, {math.Inf(1), 1}, {1}, {0, 1}, {math.MaxFloat64, math.MaxFloat64}} {
		for h := range uint64(100) {
			i := pick(h*0x9e3779b97f4a7c15, weights)
			if i < 0 || i >= len(weights) || len(weights) == 2 && weights[0] == 0 && weights[1] == 1 && i != 1 {
				t.Fatalf("pick of %v: %d", weights, i)
			}
		}
	}
}
