package ringmirror

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"roost/server/engines"
	"roost/server/testcerts"
	"roost/server/testredis"
)

// TestMisconfigured: what answers and is of the wrong kind is told at once from what is away,
// with what to do.
func TestMisconfigured(t *testing.T) {
	t.Parallel()
	plain := testredis.Start(t)
	limited := testredis.Start(t)
	limited.Text("ACL", "SETUSER", "mute", "on", ">pw", "~*", "&*", "+@all", "-publish")
	limited.Text("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+@all")
	limited.Text("ACL", "SETUSER", "narrow", "on", ">pw", "~other:*", "&*", "+@all")
	limited.Text("ACL", "SETUSER", "plain", "on", ">pw", "~*", "&*", "+@all", "-@scripting")
	evicts := testredis.Start(t)
	evicts.Text("CONFIG", "SET", "maxmemory-policy", "volatile-lru", "maxmemory", "1gb")
	replica := testredis.Start(t)
	host, port, _ := strings.Cut(plain.Addr(), ":")
	replica.Text("REPLICAOF", host, port)
	for name, tt := range map[string]struct{ url, text string }{
		"a Redis in place of Sentinels": {"redis://" + plain.Addr() + "?master_set=mymaster", "it is a Redis and no Sentinel"},
		"TLS to a server without":       {"rediss://" + plain.Addr(), "speaks without TLS"},
		"a user unknown to it":          {"redis://who:pw@" + plain.Addr(), "mend user and password"},
		"a user who may not publish":    {"redis://mute:pw@" + limited.Addr(), "ACL SETUSER"},
		"a user without channels":       {"redis://deaf:pw@" + limited.Addr(), "ACL SETUSER"},
		"a user of other keys":          {"redis://narrow:pw@" + limited.Addr(), "ACL SETUSER"},
		"a user without scripts":        {"redis://plain:pw@" + limited.Addr(), "ACL SETUSER"},
		"one that evicts":               {"redis://" + evicts.Addr(), "set maxmemory-policy noeviction"},
		"a replica":                     {"redis://" + replica.Addr(), "name its master"},
	} {
		misconfiguredURL(t, name, tt.url, tt.text)
	}
}

// TestWantsCertificate: a Redis that lets nobody in without a certificate is told from one that is away, whoever
// comes without, or with one that another authority has signed.
func TestWantsCertificate(t *testing.T) {
	t.Parallel()
	f, other := testcerts.New(t), testcerts.New(t)
	port, err := engines.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	testredis.Start(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", f.Cert, "--tls-key-file", f.Key, "--tls-ca-cert-file", f.CA, "--tls-auth-clients", "yes")
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(ca)
	with := func(cert, key string) *tls.Config {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{RootCAs: trust, Certificates: []tls.Certificate{pair}}
	}
	for name, c := range map[string]*tls.Config{"none": {RootCAs: trust}, "another authority's": with(other.ClientCert, other.ClientKey), "1.2": {RootCAs: trust, MaxVersion: tls.VersionTLS12}} {
		s, err := Open(Options{URL: fmt.Sprintf("rediss://127.0.0.1:%d", port), TLS: c, Deadline: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		// By TLS 1.3 Redis says it after the handshake, and hangs up: where that is seen first, the next question tells. roostd asks on.
		for range 50 {
			if _, err = s.Look(limit(t), desk); errors.Is(err, ErrWrongRedis) {
				break
			}
		}
		if !errors.Is(err, ErrWrongRedis) || !strings.Contains(err.Error(), "--redis-cert") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := Open(Options{URL: fmt.Sprintf("rediss://127.0.0.1:%d", port), TLS: with(f.ClientCert, f.ClientKey), Deadline: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Look(limit(t), desk); err != nil {
		t.Error(err)
	}
}

// TestSentinelsMistaken: the same of Sentinels.
func TestSentinelsMistaken(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a master, a replica and Sentinels")
	}
	t.Parallel()
	s := testredis.StartSentinels(t)
	all := "redis://" + s.Addrs()[0] + "?addr=" + s.Addrs()[1]
	misconfiguredURL(t, "a Sentinel in place of a Redis", "redis://"+s.Addrs()[0], "write redis-sentinel://")
	misconfiguredURL(t, "a master that they do not know", all+"&master_set=nobody", "mend what is after the /")
	store, err := Open(Options{URL: all + "&master_set=" + testredis.MasterSet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if _, err := store.Identify(limit(t), desk); err != nil {
		t.Errorf("Sentinels: %v", err)
	}
}

func misconfiguredURL(t *testing.T, name, url, text string) {
	t.Helper()
	s, err := Open(Options{URL: url, Deadline: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Look(limit(t), desk); !errors.Is(err, ErrWrongRedis) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %q", name, err, text)
	}
}
