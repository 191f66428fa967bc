package engines

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// StartEtcdTLS is StartEtcd with a second listener, which speaks TLS with this
// certificate and key, and where ca is not empty wants a certificate of that authority
// from each client. The first one stays: tests look in by it.
func StartEtcdTLS(tb Owner, cert, key, ca string, args ...string) *Etcd {
	tb.Helper()
	port, err := FreePort()
	if err != nil {
		tb.Fatalf("etcd: %v", err)
	}
	args = append([]string{"--cert-file", cert, "--key-file", key}, args...)
	if ca != "" {
		args = append(args, "--client-cert-auth", "--trusted-ca-file", ca)
	}
	s := newEtcd(tb, args)
	s.secure = fmt.Sprintf("127.0.0.1:%d", port)
	s.start()
	return s
}

// TLSAddr returns the host:port of the listener that speaks TLS; empty if there is none.
func (s *Etcd) TLSAddr() string { return s.secure }

// EnableAuth makes a user who may read and write what begins with prefix, and nothing
// else, and has etcd ask everybody who he is. Its root has rootPassword.
func (s *Etcd) EnableAuth(rootPassword, user, password, prefix string) {
	s.tb.Helper()
	after := []byte(prefix)
	after[len(after)-1]++
	for _, step := range []struct {
		path string
		what map[string]any
	}{
		{"user/add", map[string]any{"name": "root", "password": rootPassword}},
		{"role/add", map[string]any{"name": "root"}},
		{"user/grant", map[string]any{"user": "root", "role": "root"}},
		{"role/add", map[string]any{"name": user}},
		{"role/grant", map[string]any{"name": user, "perm": map[string]any{"permType": "READWRITE",
			"key": base64.StdEncoding.EncodeToString([]byte(prefix)), "range_end": base64.StdEncoding.EncodeToString(after)}}},
		{"user/add", map[string]any{"name": user, "password": password}},
		{"user/grant", map[string]any{"user": user, "role": user}},
		{"enable", map[string]any{}},
	} {
		s.gateway("auth/"+step.path, step.what)
	}
}

// Put puts a key past every client library.
func (s *Etcd) Put(key, value string) {
	s.tb.Helper()
	s.gateway("kv/put", map[string]any{"key": base64.StdEncoding.EncodeToString([]byte(key)), "value": base64.StdEncoding.EncodeToString([]byte(value))})
}

// gateway makes a request of etcd's JSON API.
func (s *Etcd) gateway(path string, what map[string]any) {
	s.tb.Helper()
	body, _ := json.Marshal(what)
	// A password takes etcd a tenth of a second of CPU: longer than a look at its health may.
	patient := http.Client{Timeout: patience, Transport: s.http.Transport}
	resp, err := patient.Post("http://"+s.client+"/v3/"+path, "application/json", bytes.NewReader(body))
	if err != nil {
		s.tb.Fatalf("etcd: %s: %v", path, err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		s.tb.Fatalf("etcd: %s: %s: %s", path, resp.Status, said)
	}
}
