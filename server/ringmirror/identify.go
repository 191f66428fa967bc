package ringmirror

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"

	"roost/server/cluster"
)

var (
	// ErrWrongRedis: what answers is no Redis that a cluster can use. The text says why and
	// what to do; trying again does not help.
	ErrWrongRedis = errors.New("ringmirror: not a Redis that this cluster can use")
	// ErrForeign is an ErrWrongRedis: what is in it is another cluster's.
	ErrForeign = fmt.Errorf("%w: another cluster's", ErrWrongRedis)
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
// replica or a Sentinel, does not let this user do what nodes do, evicts what is kept, or
// belongs to another cluster.
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
		if s.plain(ctx) {
			err = errPlain
		} else if refused := s.uncertified(ctx); refused != nil {
			err = refused
		}
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
		info := parseInfo(text)
		if err := f.look(addr, info); err != nil {
			return f, err
		}
		if n, _ := strconv.Atoi(info["connected_slaves"]); n < s.o.Replicas {
			f.Warnings = append(f.Warnings, fmt.Sprintf("it has %d replicas, and a message that is kept waits for %d: each is refused until there are as many", n, s.o.Replicas))
		}
	}
	slices.Sort(f.Warnings)
	f.Warnings = slices.Compact(f.Warnings)
	if err := s.allowed(ctx, c); err != nil {
		return f, err
	}
	keys, err := s.identityKeys(id)
	if err != nil {
		return f, err
	}
	if take {
		if err := s.putMarks(ctx, keys); err != nil {
			return f, err
		}
	}
	for i, r := range s.read(ctx, c, keys) {
		switch {
		case r.err != nil:
			return f, s.why(r.err)
		case r.there && r.value != keys[i].value:
			return f, s.foreign(&keys[i], r.value, id)
		}
	}
	return f, nil
}

// allowed tries what nodes do beside reading and writing keys: scripts and messages, which an
// ACL may forbid.
func (s *Store) allowed(ctx context.Context, c rueidis.Client) error {
	for _, cmd := range []rueidis.Completed{
		c.B().Eval().Script("return 1").Numkeys(1).Key(s.o.Prefix + "cluster").Build(),
		c.B().Publish().Channel(s.o.Prefix + "probe").Message("").Build(),
	} {
		if err := c.Do(ctx, cmd).Error(); err != nil {
			return s.why(err)
		}
	}
	return nil
}

// where names the Redis without its password.
func (s *Store) where() string { return "Redis " + strings.Join(s.option.InitAddress, ",") }

// why tells what cannot be mended by waiting from what can.
func (s *Store) why(err error) error {
	text := err.Error()
	if e, ok := rueidis.IsRedisErr(err); ok {
		text = e.Error()
	}
	if todo := misconfigured(text, err); todo != "" {
		return fmt.Errorf("%w: %s: %s: %s", ErrWrongRedis, s.where(), text, todo)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		// A Redis that is starting, a proxy without one behind it, or something else.
		return fmt.Errorf("%w: %s: what listens there hangs up (is it a Redis? with TLS?): %w", ErrUnreachable, s.where(), err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, s.where(), err)
}

// errPlain is that TLS is spoken to one who does not know it.
var errPlain = errors.New("no answer to TLS, and one to plain text")

// plain reports whether a server that is to be reached by TLS answers without: it waits for the
// end of a line when it is sent TLS, so a connect by that just takes too long.
func (s *Store) plain(ctx context.Context) bool {
	if s.option.TLSConfig == nil {
		return false
	}
	c, err := (&net.Dialer{Timeout: s.o.Deadline}).DialContext(ctx, "tcp", s.option.InitAddress[0])
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(s.o.Deadline))
	answer := make([]byte, 1)
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	_, err = io.ReadFull(c, answer)
	return err == nil && (answer[0] == '+' || answer[0] == '-')
}

// uncertified returns what a server that is reached by TLS has against the certificate of this node, or that there is
// none; nil if nothing. In TLS 1.3 it says so after the handshake, to the first who reads, which the library takes for a
// connection that broke.
func (s *Store) uncertified(ctx context.Context) error {
	if s.option.TLSConfig == nil {
		return nil
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	c, err := (&tls.Dialer{NetDialer: &s.option.Dialer, Config: s.option.TLSConfig}).DialContext(ctx, "tcp", s.option.InitAddress[0])
	if err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(s.o.Deadline))
		if _, err = c.Write([]byte("PING\r\n")); err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
		}
	}
	switch none := len(s.option.TLSConfig.Certificates) == 0 && s.option.TLSConfig.GetClientCertificate == nil; {
	case err == nil:
		return nil
	case wantsCertificate(err), none && strings.Contains(err.Error(), "remote error: tls: handshake failure"): // TLS 1.2 has no word for it
		return fmt.Errorf("%w: %w", errUncertified, err)
	}
	return nil
}

// errUncertified is that a server takes nobody without a certificate, or with this one.
var errUncertified = errors.New("it lets nobody in with that certificate, or without one")

// wantsCertificate reports whether an error is a TLS alert about the certificate of this node; crypto/tls has no type for
// those of the other side.
func wantsCertificate(err error) bool {
	for _, alert := range []string{"certificate required", "bad certificate", "unknown certificate authority"} {
		if strings.Contains(err.Error(), "remote error: tls: "+alert) {
			return true
		}
	}
	return false
}

// misconfigured says what to do about an answer that waiting does not mend; "" if it may.
func misconfigured(text string, err error) string {
	word, _, _ := strings.Cut(text, " ")
	lower := strings.TrimPrefix(strings.ToLower(text), "err ") // the library leaves it out
	var header tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	switch {
	case strings.HasPrefix(text, "received unknown message type"):
		return "what listens there does not speak Redis' protocol: is it the port of something else, or TLS (rediss://)?"
	case word == "WRONGPASS", word == "NOAUTH", strings.Contains(lower, "without any password configured"):
		return "mend user and password (in the URL, or --redis-password-file, ROOST_REDIS_PASSWORD)"
	case word == "NOPERM":
		return "mend user and password, or let this user do that (ACL SETUSER: +@all, its keys and channels)"
	case word == "READONLY":
		return "it is a replica: name its master, or Sentinels"
	case strings.HasPrefix(lower, "unknown command") && strings.Contains(lower, "sentinel"):
		return "it is a Redis and no Sentinel: write redis://, or name the Sentinels, which have ports of their own (26379)"
	case strings.HasPrefix(lower, "unknown command") && strings.Contains(lower, "cluster"):
		return "it is a Sentinel (or a proxy): write redis-sentinel://host:port/master"
	case strings.HasPrefix(lower, "no such master"):
		return "the Sentinels watch no master of this name: mend what is after the / in redis-sentinel://"
	case errors.As(err, &header), errors.Is(err, errPlain):
		return "it speaks without TLS: write redis:// without the second s, or name its tls-port"
	case errors.Is(err, errUncertified), wantsCertificate(err):
		return "it wants a certificate that its authority has signed (--redis-cert, --redis-key)"
	case errors.As(err, &verify):
		return "its certificate is not one that this node trusts"
	}
	return ""
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
	if info["redis_mode"] == "sentinel" {
		return fmt.Errorf("%w: %s is a Sentinel: write redis-sentinel://host:port/master", ErrWrongRedis, addr)
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		if most, _ := strconv.ParseUint(info["maxmemory"], 10, 64); most > 0 {
			return fmt.Errorf("%w: %s has maxmemory-policy %s and maxmemory %d: when that is full it throws away messages that were accepted; set maxmemory-policy noeviction",
				ErrWrongRedis, addr, policy, most)
		}
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
