package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// redisKind is what a URL says there is.
type redisKind uint8

const (
	redisSingle   redisKind = iota // one server
	redisCluster                   // a Redis Cluster, of which some nodes are named
	redisSentinel                  // Sentinels, which know a master by its name
)

// redisAt is where Redis is, for all that use it.
type redisAt struct {
	kind           redisKind
	addrs          []string // host:port
	master         string   // of Sentinels
	user, password string
	tls            bool
}

// redisSchemes are the ways to write one.
var redisSchemes = map[string]redisAt{
	"redis": {kind: redisSingle}, "rediss": {kind: redisSingle, tls: true},
	"redis-cluster": {kind: redisCluster}, "rediss-cluster": {kind: redisCluster, tls: true},
	"redis-sentinel": {kind: redisSentinel}, "rediss-sentinel": {kind: redisSentinel, tls: true},
}

const redisForms = "redis://[user:password@]host:port, redis-cluster://host:port,host:port or redis-sentinel://host:port,host:port/master; rediss... for TLS"

// parseRedis reads a URL of Redis. password is for those that have none. Errors do not show
// passwords.
func parseRedis(s, password string) (redisAt, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return redisAt{}, fmt.Errorf("redis: without a scheme it is no way to name a Redis: want %s", redisForms)
	}
	r, known := redisSchemes[scheme]
	if !known {
		return r, fmt.Errorf("redis: %q is no way to name a Redis: want %s", scheme, redisForms)
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if err := r.credentials(rest[:i]); err != nil {
			return r, err
		}
		rest = rest[i+1:]
	}
	if r.password == "" {
		r.password = password
	}
	if strings.ContainsAny(rest, "?#") {
		return r, fmt.Errorf("redis: %q: options after ? are not known: want %s", rest, redisForms)
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if err := r.path(path); err != nil {
		return r, err
	}
	return r, r.hosts(hosts)
}

func (r *redisAt) credentials(s string) (err error) {
	user, password, hasPassword := strings.Cut(s, ":")
	if r.user, err = url.PathUnescape(user); err == nil && hasPassword {
		r.password, err = url.PathUnescape(password)
	}
	if err != nil {
		return errors.New("redis: user and password: write a % as %25, an @ as %40, a / as %2F")
	}
	return nil
}

func (r *redisAt) path(path string) error {
	switch {
	case r.kind == redisSentinel && (path == "" || strings.Contains(path, "/")):
		return errors.New("redis: Sentinels know masters by names: want redis-sentinel://host:port,host:port/master")
	case r.kind == redisSentinel:
		name, err := url.PathUnescape(path)
		if err != nil {
			return fmt.Errorf("redis: master %q: %w", path, err)
		}
		r.master = name
	case path != "" && path != "0":
		return fmt.Errorf("redis: database %q: roost uses database 0, whose keys have a prefix: leave it out and give --redis-prefix", path)
	}
	return nil
}

func (r *redisAt) hosts(s string) error {
	port := "6379"
	if r.kind == redisSentinel {
		port = "26379"
	}
	for one := range strings.SplitSeq(s, ",") {
		addr, err := hostPort(one, port)
		if err != nil {
			return fmt.Errorf("redis: %w", err)
		}
		r.addrs = append(r.addrs, addr)
	}
	if r.kind == redisSingle && len(r.addrs) > 1 {
		return errors.New("redis: several addresses: for the nodes of a Redis Cluster want redis-cluster://, for Sentinels redis-sentinel://.../master")
	}
	return nil
}

// hostPort fills in a port and checks both.
func hostPort(s, port string) (string, error) {
	host := s
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if strings.Count(s, ":") == 1 || strings.HasPrefix(s, "[") && !strings.HasSuffix(s, "]") {
		return "", fmt.Errorf("address %q: want host:port", s)
	} else {
		host = strings.Trim(s, "[]")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("address %q: port %q: want 1 to 65535", s, port)
	}
	if host == "" || strings.ContainsAny(host, " \t/@") {
		return "", fmt.Errorf("address %q: want host:port", s)
	}
	return net.JoinHostPort(host, port), nil
}

// url is what rueidis reads.
func (r *redisAt) url() string {
	u := url.URL{Scheme: "redis", Host: r.addrs[0]}
	if r.tls {
		u.Scheme = "rediss"
	}
	switch {
	case r.password != "":
		u.User = url.UserPassword(r.user, r.password)
	case r.user != "":
		u.User = url.User(r.user)
	}
	q := url.Values{}
	for _, a := range r.addrs[1:] {
		q.Add("addr", a)
	}
	if r.master != "" {
		q.Set("master_set", r.master)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// config is for TLS; nil is none.
func (r *redisAt) config() *tls.Config {
	if !r.tls {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

// String is for logs: no password.
func (r *redisAt) String() string {
	s := strings.Join(r.addrs, ",")
	switch r.kind {
	case redisCluster:
		return "Redis Cluster " + s
	case redisSentinel:
		return "Redis " + r.master + " by Sentinels " + s
	}
	return "Redis " + s
}
