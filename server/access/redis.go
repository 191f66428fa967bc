package access

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Kind is what a URL says there is.
type Kind uint8

const (
	Single   Kind = iota // one server
	Cluster              // a Redis Cluster, of which some nodes are named
	Sentinel             // Sentinels, which know a master by its name
)

// Redis is where Redis is, and as whom, for all that use it.
type Redis struct {
	Kind           Kind
	Addrs          []string // host:port
	Master         string   // of Sentinels
	User, Password string
	// SentinelUser and SentinelPassword are for the Sentinels themselves.
	SentinelUser, SentinelPassword string
	// TLS is nil for plain TCP.
	TLS *tls.Config

	secure bool // rediss
}

// RedisFlags are the flags of a command that reaches Redis.
type RedisFlags struct {
	// URL is --redis; empty where the flag is not given.
	URL string

	passwordFile, sentinelPasswordFile string
	tls                                files
}

// RedisFlagNames are the flags beside --redis, and mean nothing without it.
var RedisFlagNames = []string{"redis-ca", "redis-cert", "redis-key", "redis-password-file", "sentinel-password-file"}

// RedisEnviron says which variables are read, for help texts.
const RedisEnviron = "ROOST_REDIS_PASSWORD, ROOST_SENTINEL_USER and ROOST_SENTINEL_PASSWORD"

// Define defines all but --redis, whose text is the command's own.
func (f *RedisFlags) Define(fs *flag.FlagSet) {
	f.tls.define(fs, "redis")
	fs.StringVar(&f.passwordFile, "redis-password-file", "", "`file` of the password that --redis has none of (or the password in ROOST_REDIS_PASSWORD)")
	fs.StringVar(&f.sentinelPasswordFile, "sentinel-password-file", "", "`file` of the Sentinels' own password (or ROOST_SENTINEL_PASSWORD; a user in ROOST_SENTINEL_USER)")
}

// Read gives the flags their meaning; environ looks up variables. Errors say which flag,
// and what to do; none shows a password.
func (f *RedisFlags) Read(environ func(string) string) (Redis, error) {
	password, err := secret("redis-password-file", f.passwordFile, "ROOST_REDIS_PASSWORD", environ)
	if err != nil {
		return Redis{}, err
	}
	r, err := parseRedis(f.URL, password)
	if err != nil {
		return r, err
	}
	if f.passwordFile != "" && r.Password != password {
		return r, errors.New("--redis has a password, and --redis-password-file is given too: which is meant? Leave one out")
	}
	if name := f.tls.any(); name != "" && !r.secure {
		return r, fmt.Errorf("--%s is of TLS, and --redis is without: write rediss://, rediss-cluster:// or rediss-sentinel://", name)
	}
	if r.secure {
		if r.TLS, err = f.tls.config(); err != nil {
			return r, err
		}
	}
	if r.Kind != Sentinel && f.sentinelPasswordFile != "" {
		return r, errors.New("--sentinel-password-file is of Sentinels: want redis-sentinel://host:port,host:port/master, or leave it out")
	}
	if r.Kind == Sentinel {
		r.SentinelUser = environ("ROOST_SENTINEL_USER")
		r.SentinelPassword, err = secret("sentinel-password-file", f.sentinelPasswordFile, "ROOST_SENTINEL_PASSWORD", environ)
	}
	return r, err
}

// CLI says what redis-cli is to be told to get in likewise; "" is nothing. No password is
// in it.
func (f *RedisFlags) CLI(user string, password bool) string {
	var words []string
	if strings.HasPrefix(f.URL, "rediss") {
		words = append(words, "--tls")
		for _, w := range [][2]string{{"--cacert", f.tls.ca}, {"--cert", f.tls.cert}, {"--key", f.tls.key}} {
			if w[1] != "" {
				words = append(words, w[0], w[1])
			}
		}
	}
	if user != "" {
		words = append(words, "--user", user)
	}
	text := strings.Join(words, " ")
	switch {
	case password && text != "":
		return text + ", and its password in REDISCLI_AUTH"
	case password:
		return "its password in REDISCLI_AUTH"
	}
	return text
}

// redisSchemes are the ways to write one.
var redisSchemes = map[string]Redis{
	"redis": {Kind: Single}, "rediss": {Kind: Single, secure: true},
	"redis-cluster": {Kind: Cluster}, "rediss-cluster": {Kind: Cluster, secure: true},
	"redis-sentinel": {Kind: Sentinel}, "rediss-sentinel": {Kind: Sentinel, secure: true},
}

const redisForms = "redis://[user:password@]host:port, redis-cluster://host:port,host:port or redis-sentinel://host:port,host:port/master; rediss... for TLS"

// parseRedis reads a URL of Redis. password is for those that have none. Errors do not show
// passwords.
func parseRedis(s, password string) (Redis, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return Redis{}, fmt.Errorf("redis: without a scheme it is no way to name a Redis: want %s", redisForms)
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
	if r.Password == "" {
		r.Password = password
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

func (r *Redis) credentials(s string) (err error) {
	user, password, hasPassword := strings.Cut(s, ":")
	if r.User, err = url.PathUnescape(user); err == nil && hasPassword {
		r.Password, err = url.PathUnescape(password)
	}
	if err != nil {
		return errors.New("redis: user and password: write a % as %25, an @ as %40, a / as %2F")
	}
	return nil
}

func (r *Redis) path(path string) error {
	switch {
	case r.Kind == Sentinel && (path == "" || strings.Contains(path, "/")):
		return errors.New("redis: Sentinels know masters by names: want redis-sentinel://host:port,host:port/master")
	case r.Kind == Sentinel:
		name, err := url.PathUnescape(path)
		if err != nil {
			return fmt.Errorf("redis: master %q: %w", path, err)
		}
		r.Master = name
	case path != "" && path != "0":
		return fmt.Errorf("redis: database %q: roost uses database 0, whose keys have a prefix: leave it out and give --redis-prefix", path)
	}
	return nil
}

func (r *Redis) hosts(s string) error {
	port := "6379"
	if r.Kind == Sentinel {
		port = "26379"
	}
	for one := range strings.SplitSeq(s, ",") {
		addr, err := hostPort(one, port)
		if err != nil {
			return fmt.Errorf("redis: %w", err)
		}
		r.Addrs = append(r.Addrs, addr)
	}
	if r.Kind == Single && len(r.Addrs) > 1 {
		return errors.New("redis: several addresses: for the nodes of a Redis Cluster want redis-cluster://, for Sentinels redis-sentinel://.../master")
	}
	return nil
}

// hostPort fills in a port and checks both.
func hostPort(s, port string) (string, error) {
	if strings.Contains(s, "@") { // it may be a password that must not be shown
		return "", errors.New("an address with an @: want host:port; users and passwords have their own places")
	}
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

// URL is what the client library reads. The library takes the first address's host as the
// name of every TLS peer: whoever uses the URL sets TLS too.
func (r *Redis) URL() string {
	u := url.URL{Scheme: "redis", Host: r.Addrs[0]}
	if r.secure {
		u.Scheme = "rediss"
	}
	switch {
	case r.Password != "":
		u.User = url.UserPassword(r.User, r.Password)
	case r.User != "":
		u.User = url.User(r.User)
	}
	q := url.Values{}
	for _, a := range r.Addrs[1:] {
		q.Add("addr", a)
	}
	if r.Master != "" {
		q.Set("master_set", r.Master)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// String is for logs: no password.
func (r *Redis) String() string {
	s := strings.Join(r.Addrs, ",")
	switch r.Kind {
	case Cluster:
		return "Redis Cluster " + s
	case Sentinel:
		return "Redis " + r.Master + " by Sentinels " + s
	}
	return "Redis " + s
}
