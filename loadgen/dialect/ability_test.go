package dialect_test

import (
	"reflect"
	"testing"

	"roost/loadgen/dialect"
	"roost/loadgen/scenario"
)

// TestScenariosKnowDialects: what a scenario is refused for when it is read is
// what a dialect cannot do, neither more nor less.
func TestScenariosKnowDialects(t *testing.T) {
	if got := scenario.Dialects(); !reflect.DeepEqual(got, dialect.Names()) {
		t.Fatalf("scenarios know %v, and there are %v", got, dialect.Names())
	}
	const api = "http://127.0.0.1:1"
	for _, name := range dialect.Names() {
		for _, with := range []bool{false, true} {
			for _, resume := range []bool{false, true} {
				s := &scenario.Scenario{Target: scenario.Target{Dialect: name}, Reconnect: scenario.Reconnect{Resume: resume}}
				cfg := dialect.Config{Resume: resume}
				if with {
					s.Target.APIs, cfg.API = []string{api}, api
				}
				d, err := dialect.New(name, cfg)
				if err != nil {
					t.Fatal(err)
				}
				if key, _ := s.Unsupported(&scenario.Publish{To: scenario.ToAll, Class: "live", Batch: 2}); with {
					if _, can := d.(dialect.Batcher); can != (key == "") {
						t.Errorf("%s: several messages in a request: the scenario says %q, the dialect %v", name, key, can)
					}
				}
				for _, to := range []scenario.Audience{scenario.ToAll, scenario.ToTopic, scenario.ToDevice, scenario.ToNode, scenario.ToSelf} {
					for _, class := range []string{"live", "kept", "latest"} {
						key, text := s.Unsupported(&scenario.Publish{To: to, Class: class})
						if err := d.Supports(string(to), class); (err == nil) != (key == "") {
							t.Errorf("%s, API %v, resume %v: %s/%s: the scenario says %q, the dialect %v", name, with, resume, to, class, text, err)
						}
					}
				}
			}
		}
	}
	if key, _ := (&scenario.Scenario{Target: scenario.Target{Dialect: "x"}}).Unsupported(&scenario.Publish{To: scenario.ToAll}); key != "" {
		t.Errorf("a dialect that is not known: %s", key)
	}
}
