package ringmirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/rueidis"

	"roost/server/cluster"
)

var (
	// ErrWrongRedis: what answers is no Redis that a cluster can use. The text says why and
	// what to do; trying again does not help.
	ErrWrongRedis = errors.New("ringmirror: not a Redis that this cluster can use")
	// ErrUnreachable: nothing answers now.
	ErrUnreachable = errors.New("ringmirror: Redis is not reached")
)

// presenceKey holds the identity for keys without a prefix: presence's.
const presenceKey = "presence:cluster"

// Found is what a Redis that can be used is like.
type Found struct {
	Version  string // of the oldest server
	Cluster  bool
	Warnings []string // what is allowed and unwise, with what to do
}

// Look says whether this is a Redis that cluster id can use: nothing is written. The errors
// are ErrUnreachable, and ErrWrongRedis: it is no Redis, too old, wants another password, is a
// replica, or belongs to another cluster.
func (s *Store) Look(ctx context.Context, id cluster.Identity) (Found, error) {
	return s.identify(ctx, id, false)
}

// Identify is Look, and takes the Redis for id if nobody has it: once etcd has said that id is
// who it says it is.
func (s *Store) Identify(ctx context.Context, id cluster.Identity) (Found, error) {
	return s.identify(ctx, id, true)
}

func (s *Store) identify(ctx context.Context, id cluster.Identity, take bool) (Found, error) {
	c, err := s.connected()
	if err != nil {
		return Found{}, s.why(err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	f := Found{Cluster: c.Mode() == rueidis.ClientModeCluster}
	for addr, node := range c.Nodes() {
		text, err := node.Do(ctx, node.B().Info().Build()).ToString()
		if err != nil {
			return f, s.why(err)
		}
		if err := f.look(addr, parseInfo(text)); err != nil {
			return f, err
		}
	}
	slices.Sort(f.Warnings)
	f.Warnings = slices.Compact(f.Warnings)
	for _, k := range []struct{ key, todo string }{
		{s.o.Prefix + "cluster", "give one of them another --redis-prefix and another Redis, or mend the cluster id"},
		{presenceKey, "keys of presence have no prefix, so each cluster needs a Redis of its own"},
	} {
		if err := s.compare(ctx, c, k.key, id, take, k.todo); err != nil {
			return f, err
		}
	}
	return f, nil
}

// compare compares an identity, and puts it where there is none if take is set.
func (s *Store) compare(ctx context.Context, c rueidis.Client, key string, id cluster.Identity, take bool, todo string) error {
	mark, err := json.Marshal(id)
	if err != nil {
		return err
	}
	if take {
		if err := c.Do(ctx, c.B().Set().Key(key).Value(string(mark)).Nx().Build()).Error(); err != nil && !rueidis.IsRedisNil(err) {
			return s.why(err)
		}
	}
	found, err := c.Do(ctx, c.B().Get().Key(key).Build()).ToString()
	switch {
	case rueidis.IsRedisNil(err) && !take, err == nil && found == string(mark):
		return nil
	case err != nil:
		return s.why(err)
	}
	var other cluster.Identity
	if json.Unmarshal([]byte(found), &other) != nil {
		return fmt.Errorf("%w: %s: %s holds %.100q, which is no cluster's: choose another Redis or prefix", ErrWrongRedis, s.where(), key, found)
	}
	return fmt.Errorf("%w: %s belongs to cluster %q, environment %q (%s), and this is cluster %q, environment %q: %s",
		ErrWrongRedis, s.where(), other.ID, other.Environment, key, id.ID, id.Environment, todo)
}

// where names the Redis without its password.
func (s *Store) where() string { return "Redis " + strings.Join(s.option.InitAddress, ",") }

// why tells what cannot be mended by waiting from what can.
func (s *Store) why(err error) error {
	text := err.Error()
	if e, ok := rueidis.IsRedisErr(err); ok {
		text = e.Error()
	}
	word, _, _ := strings.Cut(text, " ")
	switch {
	case strings.HasPrefix(text, "received unknown message type"):
		return fmt.Errorf("%w: what listens at %s does not speak Redis' protocol (%v): is it the port of something else, or TLS (rediss://)?", ErrWrongRedis, s.where(), err)
	case slices.Contains([]string{"WRONGPASS", "NOAUTH", "NOPERM"}, word):
		return fmt.Errorf("%w: %s: %s: mend user and password in the URL", ErrWrongRedis, s.where(), text)
	case word == "READONLY":
		return fmt.Errorf("%w: %s is a replica: name its master, or Sentinels", ErrWrongRedis, s.where())
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		// A Redis that is starting, a proxy without one behind it, or something else.
		return fmt.Errorf("%w: %s: what listens there hangs up (is it a Redis?): %w", ErrUnreachable, s.where(), err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, s.where(), err)
}

// Least versions: of one server for the scripts, of a Redis Cluster for sharded Pub/Sub.
var (
	leastServer  = [2]int{6, 2}
	leastCluster = [2]int{7, 0}
)

// look judges what a server says of itself.
func (f *Found) look(addr string, info map[string]string) error {
	version, least := info["redis_version"], leastServer
	if f.Cluster {
		least = leastCluster
	}
	if version == "" {
		return fmt.Errorf("%w: %s does not say its version", ErrWrongRedis, addr)
	}
	if v := parseVersion(version); v[0] < least[0] || v[0] == least[0] && v[1] < least[1] {
		return fmt.Errorf("%w: %s is version %s: %d.%d or later is needed", ErrWrongRedis, addr, version, least[0], least[1])
	}
	if f.Version == "" || older(version, f.Version) {
		f.Version = version
	}
	if info["role"] == "slave" && !f.Cluster {
		return fmt.Errorf("%w: %s is a replica: name its master, or Sentinels", ErrWrongRedis, addr)
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		f.Warnings = append(f.Warnings, "maxmemory-policy is "+policy+": Redis may drop what was accepted; set noeviction")
	}
	if info["aof_enabled"] == "0" {
		f.Warnings = append(f.Warnings, "appendonly is off: what is kept is lost with the process of Redis; set appendonly yes")
	}
	return nil
}

func older(a, b string) bool {
	x, y := parseVersion(a), parseVersion(b)
	return x[0] < y[0] || x[0] == y[0] && x[1] < y[1]
}

// parseVersion reads the first two numbers of a version; what is none is 0.
func parseVersion(s string) (v [2]int) {
	for i, part := range strings.SplitN(s, ".", 3) {
		if i < 2 {
			v[i], _ = strconv.Atoi(part)
		}
	}
	return v
}

// parseInfo reads the lines of INFO.
func parseInfo(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok && !strings.HasPrefix(name, "#") {
			m[name] = value
		}
	}
	return m
}
