package scenario

import (
	"testing"
	"time"
)

func TestClosing(t *testing.T) {
	ramp := Phase{Name: "ramp", For: 10 * time.Second, Ramp: &Ramp{To: 1000, Arrival: Arrival{Kind: AtOnce}}}
	churn := func(how Close, a Arrival, length time.Duration) Phase {
		return Phase{Name: "churn", For: length, Churn: &Churn{Arrival: a, How: how}}
	}
	constant := Arrival{Kind: Constant, Rate: 50}
	for _, c := range []struct {
		name   string
		phase  Phase
		policy Policy
		within time.Duration
		want   int
	}{
		{"nothing closes", Phase{For: time.Minute}, PolicyFixed, time.Minute, 0},
		{"a minute of churn", churn(CloseFIN, constant, time.Hour), PolicyNone, time.Minute, 3000},
		{"a second of churn", churn(CloseFrame, constant, time.Minute), PolicyNone, time.Second, 50},
		{"less than a minute", churn(CloseFrame, constant, 10*time.Second), PolicyNone, time.Minute, 500},
		{"a long phase in short stretches", churn(CloseFIN, constant, 10*time.Hour), PolicyNone, time.Second, 50},
		{"a rise", churn(CloseFIN, Arrival{Kind: Linear, Rate: 0, To: 100}, 100*time.Second), PolicyNone, 50 * time.Second, 3750},
		{"resets keep nothing", churn(CloseRST, constant, time.Hour), PolicyNone, time.Minute, 0},
		{"nor does what the server closes", churn(CloseServer, constant, time.Hour), PolicyNone, time.Minute, 0},
		{"a storm", Phase{For: time.Minute, Storm: &Storm{Share: .5, How: CloseFIN}}, PolicyFullJitter, time.Second, 500},
		{"a slow storm", Phase{For: time.Minute, Storm: &Storm{Share: .5, How: CloseFIN, Over: 10 * time.Second}}, PolicyFixed, time.Second, 50},
		{"nobody comes back", Phase{For: time.Minute, Storm: &Storm{Share: .5, How: CloseFIN}}, PolicyNone, time.Second, 0},
		{"a storm of resets", Phase{For: time.Minute, Storm: &Storm{Share: .5, How: CloseRST}}, PolicyFixed, time.Second, 0},
	} {
		s := &Scenario{Clients: Clients{Count: 1000}, Reconnect: Reconnect{Policy: c.policy}, Phases: []Phase{ramp, c.phase}}
		if got := s.Closing(c.within); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
