package access

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/redis/rueidis"
)

func TestParseRedis(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want Redis
	}{
		{"redis://127.0.0.1:6379", Redis{Addrs: []string{"127.0.0.1:6379"}}},
		{"redis://cache", Redis{Addrs: []string{"cache:6379"}}},
		{"redis://cache/", Redis{Addrs: []string{"cache:6379"}}},
		{"redis://cache/0", Redis{Addrs: []string{"cache:6379"}}},
		{"redis://[::1]:7000", Redis{Addrs: []string{"[::1]:7000"}}},
		{"redis://[::1]", Redis{Addrs: []string{"[::1]:6379"}}},
		{"rediss://u:p@cache:1", Redis{Addrs: []string{"cache:1"}, User: "u", Password: "p", secure: true}},
		{"redis://:p%40%2Fq@cache:1", Redis{Addrs: []string{"cache:1"}, Password: "p@/q"}},
		{"redis://:a@b@cache:1", Redis{Addrs: []string{"cache:1"}, Password: "a@b"}},
		{"redis://u@cache:1", Redis{Addrs: []string{"cache:1"}, User: "u", Password: "of the environment"}},
		{"redis-cluster://a:1,b:2,c", Redis{Kind: Cluster, Addrs: []string{"a:1", "b:2", "c:6379"}}},
		{"rediss-cluster://a:1", Redis{Kind: Cluster, Addrs: []string{"a:1"}, secure: true}},
		{"redis-sentinel://a:1,b/main", Redis{Kind: Sentinel, Addrs: []string{"a:1", "b:26379"}, Master: "main"}},
	} {
		if tt.want.Password == "" {
			tt.want.Password = "of the environment"
		}
		got, err := parseRedis(tt.url, "of the environment")
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v", tt.url, got, err, tt.want)
			continue
		}
		// What is made of it for the client library means the same.
		o, err := rueidis.ParseURL(got.URL())
		if err != nil || !reflect.DeepEqual(o.InitAddress, got.Addrs) || o.Username != got.User || o.Password != got.Password ||
			o.Sentinel.MasterSet != got.Master || (o.TLSConfig != nil) != got.secure || o.SelectDB != 0 {
			t.Errorf("%s: %s: %+v, %v", tt.url, got.URL(), o, err)
		}
		if s := got.String(); strings.Contains(s, got.Password) {
			t.Errorf("%s shows its Password: %s", tt.url, s)
		}
	}
}

func TestParseRedisRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"":                                   "no way to name a Redis",
		"127.0.0.1:6379":                     "no way to name a Redis",
		"http://127.0.0.1:6379":              `"http" is no way`,
		"User:secret@a:1":                    "without a scheme",
		"redis://":                           "host:port",
		"redis://:secret@":                   "host:port",
		"redis://a:1,b:2":                    "redis-cluster://",
		"redis://a:x":                        `port "x"`,
		"redis://a:0":                        `port "0"`,
		"redis://a:70000":                    `port "70000"`,
		"redis://a:1/3":                      `database "3"`,
		"redis://a:1?db=3":                   "options after ?",
		"redis://u:secret%@a:1":              "%25",
		"redis-cluster://a:1,":               "host:port",
		"redis-sentinel://a:1,b:1":           "redis-sentinel://host:port,host:port/master",
		"redis-sentinel://:secret@a:1/m/x":   "/master",
		"redis://:secret@a b:1":              "host:port",
		"redis-clusters://:secret@127.0.0.1": "no way",
	} {
		_, err := parseRedis(url, "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want %q, and no password", url, err, want)
		}
	}
}

// TestAnyRedis: whatever is taken can be written down for the library, and means the same. (No
// fuzz target: it would have all of roostd built anew, with counters.)
func TestAnyRedis(t *testing.T) {
	parts := []string{"redis", "rediss-cluster", "redis-sentinel", "://", "://", ":", "@", "/", ",", "%", "%25", "%40", "h", "h:1", "[::1]", "[", "]", "0", "70000", "?", "#", "é", " ", "u", "p:q"}
	taken := 0
	for range 200_000 {
		text := parts[rand.IntN(3)] + "://"
		for range rand.IntN(7) {
			text += parts[rand.IntN(len(parts))]
		}
		r, err := parseRedis(text, "")
		if err != nil {
			continue
		}
		o, err := rueidis.ParseURL(r.URL())
		if err != nil {
			continue // hosts that no URL can hold are refused when they are dialed
		}
		if taken++; len(o.InitAddress) != len(r.Addrs) || o.Username != r.User || o.Password != r.Password || o.Sentinel.MasterSet != r.Master {
			t.Fatalf("%q: %+v, and for the library %+v", text, r, o)
		}
	}
	if taken < 1000 {
		t.Errorf("%d were taken", taken)
	}
}
