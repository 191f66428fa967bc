package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"roost/server/testcerts"
	"roost/server/testetcd"
)

// clientTLS is what a client shows and trusts.
func clientTLS(t *testing.T, f testcerts.Files) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(f.ClientCert, f.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}
}

// TestSecureEtcd: by TLS, as a user who may do nothing outside the prefix, a client does
// all that it does without; and etcd may forget the user's token.
func TestSecureEtcd(t *testing.T) {
	f := testcerts.New(t)
	s := testetcd.StartTLS(t, f.Cert, f.Key, "")
	s.EnableAuth("of root", "node", "of node", "/roost/")
	config := clientTLS(t, f)
	config.Certificates = nil
	c := identified(t, s, func(o *Options) {
		o.Endpoints, o.TLS, o.Username, o.Password = []string{"https://" + s.TLSAddr()}, config, "node", "of node"
		o.Timeout = bound / 3 // a password takes etcd its time, and on a busy machine more
	})
	w := watching(t, c, fast)
	r := joined(t, c, member("n1"), RegisterOptions{TTL: 2 * time.Second})
	sees(t, w, "n1", func(v *View) bool { return len(v.Members) == 1 })

	s.Restart() // it forgets all tokens, and keeps users
	eventually(t, "the registration is kept after a restart of etcd", func() bool {
		return r.Status().State == Registered && c.Ping(limit(t)) == nil
	})
	joined(t, c, member("n2"), RegisterOptions{TTL: 2 * time.Second})
	sees(t, w, "both, by a watch that was made anew", func(v *View) bool { return len(v.Members) == 2 })
	stored(t, c.Versions(), built(t, 1, "n1", "n2"))
}

// TestUserBeforeEtcd: with a user, too, a client is made while etcd is away; and a user
// does no harm where etcd asks for none.
func TestUserBeforeEtcd(t *testing.T) {
	s := testetcd.Start(t)
	s.Kill()
	c := dial(t, s, func(o *Options) { o.Username, o.Password = "node", "of node" })
	if err := c.Ping(limit(t)); err == nil {
		t.Error("an answer of nobody")
	}
	s.Restart()
	eventually(t, "an answer", func() bool { return c.Identify(limit(t)) == nil })
	s.EnableAuth("of root", "node", "of node", "/roost/")
	eventually(t, "an answer since etcd asks who it is", func() bool { return c.Known(limit(t)) == nil })
}

// TestNoAccess: what is wrong is said, with what to do.
func TestNoAccess(t *testing.T) {
	f := testcerts.New(t)
	s := testetcd.StartTLS(t, f.Cert, f.Key, f.CA)
	s.EnableAuth("of root", "node", "of node", "/roost/")
	elsewhere := testetcd.StartTLS(t, f.ElsewhereCert, f.Key, "")
	stranger := clientTLS(t, testcerts.New(t))
	// Where etcd is asked for a password it takes its time, and on a busy machine more.
	patient := func(o *Options) { o.Timeout = bound }
	for name, tt := range map[string]struct {
		change func(*Options)
		access bool
		want   []string
	}{
		"plain to TLS":      {func(o *Options) { o.Endpoints, o.TLS = []string{s.TLSAddr()}, nil }, false, []string{s.TLSAddr(), "write https://"}},
		"TLS to plain":      {func(o *Options) { o.Endpoints = []string{"https://" + s.Addr()} }, false, []string{s.Addr(), "leave https:// out"}},
		"password":          {func(o *Options) { patient(o); o.Password = "wrong" }, true, []string{"authentication failed", `password of user "node"`}},
		"other authority":   {func(o *Options) { o.TLS.RootCAs = stranger.RootCAs }, true, []string{"unknown authority", "--etcd-ca"}},
		"no certificate":    {func(o *Options) { o.TLS.Certificates = nil }, true, []string{"--etcd-cert, --etcd-key"}},
		"other certificate": {func(o *Options) { o.TLS.Certificates = stranger.Certificates }, true, []string{"--etcd-cert, --etcd-key"}},
		"name":              {func(o *Options) { o.Endpoints = []string{"https://" + elsewhere.TLSAddr()} }, true, []string{"by a name that its certificate has"}},
		"prefix":            {func(o *Options) { patient(o); o.Prefix = "/other" }, true, []string{"permission denied", `user "node"`, "/other/"}},
		"nobody":            {func(o *Options) { o.Endpoints = []string{"https://127.0.0.1:1"} }, false, []string{"connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, s, func(o *Options) {
				o.Timeout = 1500 * time.Millisecond
				o.Endpoints, o.TLS, o.Username, o.Password = []string{"https://" + s.TLSAddr()}, clientTLS(t, f), "node", "of node"
			}, tt.change)
			for _, ask := range []func(context.Context) error{c.Known, c.Identify} {
				err := ask(limit(t))
				if err == nil || errors.Is(err, ErrAccess) != tt.access {
					t.Errorf("%v", err)
					continue
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v\nwants %q", err, want)
					}
				}
			}
		})
	}
}
