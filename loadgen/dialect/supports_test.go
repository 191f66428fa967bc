package dialect

import (
	"strings"
	"testing"
)

// TestSupports: what each dialect can do, over all audiences and classes. What
// it cannot is an error that says what would be possible.
func TestSupports(t *testing.T) {
	const api = "http://127.0.0.1:1"
	for name, c := range map[string]struct {
		cfg  Config
		name string
		can  string
	}{
		"roost": {Config{API: api}, "roost", "all all/live all/kept node node/live node/kept topic topic/live topic/kept topic/latest " +
			"device device/live device/kept"},
		"roost without an API": {Config{}, "roost", ""},
		"plain":                {Config{}, "plain", "all all/live self self/live"},
		"plain with an API":    {Config{API: api}, "plain", "all all/live node node/live self self/live"},
		"centrifugo":           {Config{}, "centrifugo", "all all/live topic topic/live device device/live self self/live"},
		"centrifugo with an API": {Config{API: api}, "centrifugo",
			"all all/live node node/live topic topic/live device device/live self self/live"},
		"socketio": {Config{}, "socketio", "all all/live topic topic/live device device/live self self/live"},
		"mqtt":     {Config{}, "mqtt", "all all/live topic topic/live topic/latest device device/live self self/live"},
		"mqtt that resumes": {Config{Resume: true}, "mqtt", "all all/live all/kept topic topic/live topic/kept topic/latest " +
			"device device/live device/kept self self/live self/kept"},
	} {
		d := mustNew(t, c.name, c.cfg)
		can := strings.Fields(c.can)
		for _, to := range []string{"all", "node", "topic", "device", "self", "", "x"} {
			for _, class := range []string{"", "live", "kept", "latest", "x"} {
				what := strings.TrimSuffix(to+"/"+class, "/")
				err := d.Supports(to, class)
				want := false
				for _, x := range can {
					want = want || x == what
				}
				if (err == nil) != want {
					t.Errorf("%s: %s: %v", name, what, err)
				}
				if err != nil && !strings.HasPrefix(err.Error(), "dialect "+c.name+": ") {
					t.Errorf("%s: %s: the error does not say who speaks: %v", name, what, err)
				}
				if err == nil && d.Publishing(to) == Nowhere {
					t.Errorf("%s: %s: supported, and nowhere to publish", name, what)
				}
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		name string
		cfg  Config
		want string
	}{
		"name":    {"rooster", Config{}, "want one of"},
		"format":  {"roost", Config{Format: "xml"}, "want json or bin"},
		"format2": {"plain", Config{Format: "bin"}, "leave it out"},
		"path":    {"plain", Config{Path: "x"}, "begins with '/'"},
		"clients": {"plain", Config{Clients: -1}, "want 0 or more"},
		"api":     {"roost", Config{API: "127.0.0.1:80"}, "http://host:port"},
		"https":   {"roost", Config{API: "https://h"}, "http://host:port"},
	} {
		if _, err := New(c.name, c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
