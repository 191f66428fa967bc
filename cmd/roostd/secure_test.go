package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/server/engines"
	"roost/server/testcerts"
	"roost/server/testetcd"
	"roost/server/testredis"
)

// secureDesk starts an etcd and a Redis that speak TLS, want a certificate and know a user who may do only what
// roost does. args is the command line of a node, with flags changed, by name and value; in dir are files of passwords.
func secureDesk(t *testing.T) (redis *testredis.Server, dir string, args func(change ...string) []string) {
	t.Helper()
	f := testcerts.New(t)
	etcd := testetcd.StartTLS(t, f.Cert, f.Key, f.CA)
	etcd.EnableAuth("of root", "node", "of etcd", "/roost/")
	port, err := engines.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	redis = testredis.Start(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", f.Cert, "--tls-key-file", f.Key, "--tls-ca-cert-file", f.CA, "--tls-auth-clients", "yes")
	// docs/DEPLOY.md names these.
	redis.Text("ACL", "SETUSER", "node", "on", ">of redis", "~roost:*", "~presence:*", "&roost:*", "+@all", "-@admin", "-@dangerous", "+info", "+config|get", "+cluster", "+role", "+client", "+keys")
	dir = t.TempDir()
	for name, text := range map[string]string{"etcd": "of etcd\n", "redis": "of redis\n", "wrong": "wrong\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return redis, dir, func(change ...string) []string {
		set := map[string]string{
			"etcd": "https://" + etcd.TLSAddr(), "etcd-ca": f.CA, "etcd-cert": f.ClientCert, "etcd-key": f.ClientKey, "etcd-user": "node", "etcd-password-file": filepath.Join(dir, "etcd"),
			"redis": fmt.Sprintf("rediss://node@127.0.0.1:%d", port), "redis-ca": f.CA, "redis-cert": f.ClientCert, "redis-key": f.ClientKey, "redis-password-file": filepath.Join(dir, "redis"),
		}
		for i := 0; i+1 < len(change); i += 2 {
			set[change[i]] = change[i+1]
		}
		list := []string{"--node", "n1", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--loops", "1", "--max-connections", "100", "--drain", "100ms"}
		for name, value := range set {
			list = append(list, "--"+name+"="+value)
		}
		return list
	}
}

// TestSecureCluster: a node whose etcd and Redis speak TLS, want a certificate and know a
// user who may do only what roost does; and each wrong piece is said.
func TestSecureCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for some seconds")
	}
	t.Parallel()
	redis, dir, args := secureDesk(t)
	p := launch(t, args()...)
	testredis.Await(t, "the ring in Redis", func() bool { return redis.Text("GET", "roost:ring:active") != "" })
	connectDevice(t, p, "d1")
	said := ""
	defer func() { t.Log("the last answer to a publish: ", said) }()
	testredis.Await(t, "a kept message", func() bool {
		resp, err := http.Post("http://"+p.api+"/v1/publish", "application/json", strings.NewReader(`{"device":"d1","payload":{"a":1}}`))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		said = string(b)
		return resp.StatusCode == http.StatusOK && strings.Contains(said, `"status":"written"`)
	})
	if said := p.says(); strings.Contains(said, "level=ERROR") || strings.Contains(said, "NOPERM") {
		t.Errorf("the node says:\n%s", said)
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ flag, value, want string }{
		{"etcd-password-file", filepath.Join(dir, "wrong"), `password of user \"node\"`},
		{"etcd-ca", testcerts.New(t).CA, "--etcd-ca"},
	} {
		p := begin(t, args(tt.flag, tt.value)...)
		// Where etcd is slow to say no it is ready before, and ends then.
		go func() { _, _ = io.Copy(io.Discard, p.out) }()
		if err := p.wait(); err == nil {
			t.Errorf("--%s: it has started", tt.flag)
		}
		if said := p.says(); !strings.Contains(said, strings.ReplaceAll(tt.want, `\`, "")) {
			t.Errorf("--%s: want %s:\n%s", tt.flag, tt.want, said)
		}
	}
	for _, tt := range []struct{ flag, value, want string }{
		{"redis-password-file", filepath.Join(dir, "wrong"), "WRONGPASS"},
		{"redis-ca", testcerts.New(t).CA, "unknown authority"},
	} {
		p := begin(t, args(tt.flag, tt.value)...)
		go func() { _, _ = io.Copy(io.Discard, p.out) }()
		testredis.Await(t, tt.want, func() bool { return strings.Contains(p.says(), tt.want) })
		p.kill()
	}
}
