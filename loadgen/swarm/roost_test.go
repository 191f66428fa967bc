package swarm

import (
	"log/slog"
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/tally"
	"roost/server"
)

// startRoost runs a node until the test ends.
func startRoost(t testing.TB) *server.Server {
	t.Helper()
	s, err := server.New(server.Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Auth: "none", Echo: true,
		Loops: 2, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// roostScenario is a scenario against nodes.
func roostScenario(nodes []*server.Server, clients int, phases ...scenario.Phase) *scenario.Scenario {
	s := base(clients, phases...)
	s.Target.Dialect, s.Target.Format = "roost", "json"
	for _, n := range nodes {
		s.Target.URLs = append(s.Target.URLs, "ws://"+n.Addr().String()+"/v1/connect")
		s.Target.APIs = append(s.Target.APIs, "http://"+n.APIAddr().String())
	}
	s.Reconnect = scenario.Reconnect{Policy: scenario.PolicyFixed, Base: 10 * time.Millisecond, Resume: true}
	return s
}

func TestRoostAudiences(t *testing.T) {
	for _, c := range []struct {
		name    string
		nodes   int
		workers int
		format  string
		to      scenario.Audience
		class   string
		want    uint64 // deliveries of 60 messages to 40 clients
	}{
		{"all", 1, 2, "json", scenario.ToAll, "live", 60 * 40},
		{"all at two nodes", 2, 1, "json", scenario.ToAll, "live", 60 * 40},
		{"node", 2, 2, "bin", scenario.ToNode, "live", 60 * 20},
		{"device", 1, 2, "json", scenario.ToDevice, "live", 60},
		{"device at two nodes", 2, 3, "bin", scenario.ToDevice, "live", 60},
		{"device kept", 1, 1, "bin", scenario.ToDevice, "kept", 60},
		{"all kept", 1, 2, "json", scenario.ToAll, "kept", 60 * 40},
		{"topic", 1, 2, "json", scenario.ToTopic, "live", 0},
		{"topic kept", 1, 1, "bin", scenario.ToTopic, "kept", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var nodes []*server.Server
			for range c.nodes {
				nodes = append(nodes, startRoost(t))
			}
			p := publish(c.to, 200, 300*time.Millisecond)
			p.Publish[0].Class, p.Publish[0].TTL = c.class, time.Minute
			s := roostScenario(nodes, 40, ramp(40), p)
			s.Target.Format = c.format
			s.Topics = scenario.Topics{Count: 5, PerClient: 2, Zipf: 1, Prefix: "t"}
			s.Measure.KernelStamps = .5
			r := newRig(t, s, c.workers)
			r.run(0)
			n := r.run(1)
			if n.Sent != 60 || n.Missing+n.Gap+n.Stray+n.Wrong+n.Duplicate+n.Refused+n.Late != 0 || n.Expected == 0 {
				t.Errorf("%+v\n%+v", n, r.sum.Errors)
			}
			if c.want != 0 && n.Delivered != c.want {
				t.Errorf("%d delivered, want %d", n.Delivered, c.want)
			}
			kernel := r.sum.Groups[0].Hists[tally.DeliveryKernel].Count()
			if rx := r.sum.Hists[tally.RxLag].Count(); rx == 0 || rx != kernel || rx >= n.Delivered {
				t.Errorf("%d kernel stamps, %d lags, of %d", kernel, rx, n.Delivered)
			}
			if lag := r.sum.Hists[tally.RxLag].Max(); lag > int64(time.Second) {
				t.Errorf("lag %d", lag)
			}
		})
	}
}

func TestRoostEcho(t *testing.T) {
	node := startRoost(t)
	s := base(30, ramp(30), publish(scenario.ToSelf, 1000, 200*time.Millisecond))
	s.Target = scenario.Target{URLs: []string{"ws://" + node.Addr().String() + "/v1/echo"}, Dialect: "plain"}
	r := newRig(t, s, 2)
	r.run(0)
	if n := r.run(1); n.Delivered != 200 || n.Missing != 0 {
		t.Errorf("%+v", n)
	}
}

// TestSomeAreStampedWhateverTheShare: of each worker ten, or all that it has.
func TestSomeAreStampedWhateverTheShare(t *testing.T) {
	for share, want := range map[float64]uint64{0: 0, .001: 16 * 10} {
		f := newFake(t, &fake{})
		s := f.plain(26, ramp(26), publish(scenario.ToAll, 50, 200*time.Millisecond))
		s.Measure.KernelStamps = share
		r := newRig(t, s, 2) // of 13 clients each
		r.run(0)
		if n := r.run(1); n.Delivered != 260 || share == 0 && r.sum.Hists[tally.RxLag] != nil || share > 0 && r.sum.Hists[tally.RxLag].Count() < want {
			t.Errorf("share %g: %d of %d stamped", share, r.sum.Hists[tally.RxLag].Count(), n.Delivered)
		}
	}
}
