package ringmirror

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/testetcd"
	"roost/server/testredis"
)

// TestIdentify: a Redis is taken by the first cluster, and refused to others, whatever their
// prefix; looking takes nothing.
func TestIdentify(t *testing.T) {
	t.Parallel()
	r := testredis.Start(t)
	s := open(t, r)
	for range 2 {
		if _, err := s.Look(limit(t), desk); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Text("EXISTS", "roost:cluster", "presence:cluster"); got != "0" {
		t.Errorf("looking has left %s keys", got)
	}
	for range 2 {
		found, err := s.Identify(limit(t), desk)
		if err != nil || found.Cluster || found.Version == "" || len(found.Warnings) != 1 || !strings.Contains(found.Warnings[0], "appendonly") {
			t.Fatalf("%+v, %v", found, err)
		}
	}
	for name, tt := range map[string]struct {
		prefix string
		id     cluster.Identity
		want   string
	}{
		"another cluster":            {"roost:", cluster.Identity{ID: "other", Environment: "test"}, "another --redis-prefix"},
		"another environment":        {"roost:", cluster.Identity{ID: "desk", Environment: "production"}, `environment "test"`},
		"another cluster and prefix": {"other:", cluster.Identity{ID: "other", Environment: "test"}, "a Redis of its own"},
	} {
		other := open(t, r, func(o *Options) { o.Prefix = tt.prefix })
		if _, err := other.Look(limit(t), tt.id); !errors.Is(err, ErrWrongRedis) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: look: %v", name, err)
		}
		if _, err := other.Identify(limit(t), tt.id); !errors.Is(err, ErrWrongRedis) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Text("SET", "roost:cluster", "a value of something else")
	if _, err := s.Identify(limit(t), desk); !errors.Is(err, ErrWrongRedis) || !strings.Contains(err.Error(), "no cluster's") {
		t.Errorf("a key of something else: %v", err)
	}
}

// TestWrongRedis: what is no use is told from what is not there now.
func TestWrongRedis(t *testing.T) {
	t.Parallel()
	guarded := withPassword(t)
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, tt := range map[string]struct {
		url  string
		want error
		text string
	}{
		"no password":     {"redis://" + guarded.Addr(), ErrWrongRedis, "mend user and password"},
		"wrong password":  {"redis://:wrong@" + guarded.Addr(), ErrWrongRedis, "mend user and password"},
		"a web server":    {"redis://" + web.Listener.Addr().String(), ErrWrongRedis, "does not speak Redis' protocol"},
		"nobody":          {"redis://" + gone.Addr().String(), ErrUnreachable, "refused"},
		"one who is mute": {"redis://" + silent.Addr().String(), ErrUnreachable, ""},
		"etcd":            {"redis://" + testetcd.Start(t).Addr(), ErrUnreachable, "is it a Redis?"},
		"right password":  {"redis://:right@" + guarded.Addr(), nil, ""},
	} {
		s, err := Open(Options{URL: tt.url, Deadline: 500 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Look(limit(t), desk)
		if !errors.Is(err, tt.want) || err != nil && (!strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "wrong@")) {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
		if _, err := s.Pointer(limit(t)); err == nil {
			t.Errorf("%s: it answers after Close", name)
		}
	}
	for _, o := range []Options{{URL: "http://x"}, {URL: "redis://x", Prefix: "{x}"}} {
		if _, err := Open(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// withPassword is a Redis that wants "right"; testredis could not ask one that began so.
func withPassword(t testing.TB) *testredis.Server {
	r := testredis.Start(t)
	r.Text("CONFIG", "SET", "requirepass", "right")
	return r
}

// TestLook: what a server says of itself.
func TestLook(t *testing.T) {
	info := func(text string) map[string]string { return parseInfo(strings.ReplaceAll(text, " ", "\r\n")) }
	for _, tt := range []struct {
		name, info string
		cluster    bool
		want       string // of the error
		warnings   int
	}{
		{"as it should be", "# redis_version:7.0.15 role:master maxmemory_policy:noeviction aof_enabled:1", false, "", 0},
		{"old", "redis_version:6.0.9 role:master", false, "6.2 or later", 0},
		{"old enough", "redis_version:6.2.0 role:master", false, "", 0},
		{"too old for a cluster", "redis_version:6.2.0 role:master", true, "7.0 or later", 0},
		{"a replica", "redis_version:7.2 role:slave", false, "name its master", 0},
		{"a replica of a cluster", "redis_version:7.2 role:slave", true, "", 0},
		{"no version", "role:master", false, "does not say its version", 0},
		{"unwise", "redis_version:10.0.0 role:master maxmemory_policy:allkeys-lru aof_enabled:0", false, "", 2},
	} {
		f := Found{Cluster: tt.cluster}
		err := f.look("a:1", info(tt.info))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) || len(f.Warnings) != tt.warnings {
			t.Errorf("%s: %v, %v", tt.name, err, f.Warnings)
		}
	}
}

// TestRedisCluster: identity and rings in a Redis Cluster, where each key has its own slot.
func TestRedisCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts six servers")
	}
	t.Parallel()
	c := testredis.StartSteadyCluster(t)
	s, err := Open(Options{URL: "redis://" + c.Addrs()[0]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	found, err := s.Identify(limit(t), desk)
	if err != nil || !found.Cluster {
		t.Fatalf("%+v, %v", found, err)
	}
	x := newSource(t)
	for v := uint64(1); v <= 3; v++ {
		x.put(v, "a", "b")
		if wrote, err := s.Write(limit(t), x.activate(v), x.watcher.View()); err != nil || wrote != Swapped {
			t.Fatalf("version %d: %v, %v", v, wrote, err)
		}
	}
	r := NewReader(s)
	if changed, err := r.Poll(limit(t)); err != nil || !changed || r.Load().Pointer.Stable != 3 {
		t.Errorf("%v, %v", changed, err)
	}
}
