package access

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roost/server/testcerts"
)

// read parses a command line as a command does.
func read(t *testing.T, line string, environ map[string]string) (Etcd, Redis, error) {
	t.Helper()
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	e, r := &EtcdFlags{}, &RedisFlags{}
	fs.StringVar(&e.Endpoints, "etcd", "e:1", "")
	fs.StringVar(&r.URL, "redis", "redis://r:1", "")
	e.Define(fs)
	r.Define(fs)
	if err := fs.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	look := func(name string) string { return environ[name] }
	etcd, err := e.Read(look)
	if err != nil {
		return etcd, Redis{}, err
	}
	redis, err := r.Read(look)
	return etcd, redis, err
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlags(t *testing.T) {
	f := testcerts.New(t)
	e, r, err := read(t, "--etcd https://e:1,https://f --etcd-ca "+f.CA+" --etcd-cert "+f.ClientCert+" --etcd-key "+f.ClientKey+" --etcd-user node --etcd-password-file "+written(t, "of node\n")+
		" --redis rediss-sentinel://u@a:1/m --redis-ca "+f.CA+" --redis-password-file "+written(t, "of redis")+" --sentinel-password-file "+written(t, "of sentinel\r\n"), map[string]string{"ROOST_SENTINEL_USER": "s"})
	if err != nil {
		t.Fatal(err)
	}
	if e.Endpoints[1] != "https://f:2379" || e.User != "node" || e.Password != "of node" || e.TLS.RootCAs == nil {
		t.Errorf("%+v", e)
	}
	if pair, err := e.TLS.GetClientCertificate(nil); err != nil || len(pair.Certificate) != 1 {
		t.Errorf("certificate %v, %v", pair, err)
	}
	if r.User != "u" || r.Password != "of redis" || r.SentinelUser != "s" || r.SentinelPassword != "of sentinel" || r.TLS.RootCAs == nil || r.TLS.GetClientCertificate != nil {
		t.Errorf("%+v", r)
	}
	e, r, err = read(t, "--redis redis://u:p@a", map[string]string{"ROOST_ETCD_USER": "n", "ROOST_ETCD_PASSWORD": "p", "ROOST_REDIS_PASSWORD": "of others"})
	if err != nil || e.User != "n" || e.Password != "p" || e.TLS != nil || r.Password != "p" || r.TLS != nil {
		t.Errorf("%+v, %+v, %v", e, r, err)
	}
	if e, r, err = read(t, "", nil); err != nil || e.User != "" || r.Password != "" {
		t.Errorf("%+v, %+v, %v", e, r, err)
	}
}

// TestCertificateIsReadAgain: one that was renewed in place is shown at the next connect.
func TestCertificateIsReadAgain(t *testing.T) {
	a, b := testcerts.New(t), testcerts.New(t)
	e, _, err := read(t, "--etcd https://e --etcd-cert "+a.ClientCert+" --etcd-key "+a.ClientKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	was, _ := e.TLS.GetClientCertificate(nil)
	for from, to := range map[string]string{b.ClientCert: a.ClientCert, b.ClientKey: a.ClientKey} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	is, err := e.TLS.GetClientCertificate(nil)
	if err != nil || string(is.Certificate[0]) == string(was.Certificate[0]) {
		t.Errorf("the old one, or %v", err)
	}
}

// TestFlagsRefuse: each wrong piece is named, with what to do, and no password.
func TestFlagsRefuse(t *testing.T) {
	f, other := testcerts.New(t), testcerts.New(t)
	empty, lines, secret := written(t, ""), written(t, "secret\nsecret\n"), written(t, "secret")
	for line, want := range map[string]string{
		"--etcd-ca " + f.CA:                                                                  "--etcd-ca is of TLS",
		"--etcd https://e --etcd-ca " + f.CA + "x":                                           f.CA + "x",
		"--etcd https://e --etcd-ca " + f.Key:                                                "no certificate is in it",
		"--etcd https://e --etcd-ca " + empty:                                                "empty",
		"--etcd https://e --etcd-cert " + f.ClientCert:                                       "without --etcd-key",
		"--etcd https://e --etcd-key " + f.ClientKey:                                         "without --etcd-cert",
		"--etcd https://e --etcd-cert " + f.ClientCert + " --etcd-key " + other.ClientKey:    "its own key",
		"--etcd https://e --etcd-cert " + f.ClientCert + " --etcd-key /nowhere/key":          "--etcd-key: open /nowhere/key",
		"--etcd https://user:secret@e":                                                       "users and passwords have their own places",
		"--etcd-user node":                                                                   "--etcd-password-file or ROOST_ETCD_PASSWORD",
		"--etcd-password-file " + secret:                                                     "give --etcd-user",
		"--etcd-user node --etcd-password-file " + empty:                                     "empty",
		"--etcd-user node --etcd-password-file " + lines:                                     "more than one line",
		"--etcd-user node --etcd-password-file /nowhere":                                     "--etcd-password-file: open /nowhere",
		"--redis-ca " + f.CA:                                                                 "write rediss://",
		"--redis rediss://r --redis-ca " + secret:                                            "no certificate is in it",
		"--redis rediss://r --redis-cert " + f.ClientCert:                                    "without --redis-key",
		"--redis redis://:secret@r --redis-password-file " + written(t, "other"):             "which is meant",
		"--sentinel-password-file " + secret:                                                 "of Sentinels",
		"--redis redis-sentinel://a/m --sentinel-password-file " + secret + " --etcd f,g://": "host:port",
	} {
		_, _, err := read(t, line, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") && !strings.Contains(line, "-file") {
			t.Errorf("%s: %v; want %q", line, err, want)
		}
	}
	for line, variable := range map[string]string{"--etcd-user n --etcd-password-file " + secret: "ROOST_ETCD_PASSWORD", "--redis-password-file " + secret: "ROOST_REDIS_PASSWORD"} {
		if _, _, err := read(t, line, map[string]string{variable: "other"}); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestCLI(t *testing.T) {
	for url, want := range map[string]string{
		"redis://a":      "",
		"redis://:p@a":   "its password in REDISCLI_AUTH",
		"rediss://u:p@a": "--tls --cacert /ca --user u, and its password in REDISCLI_AUTH",
		"rediss://a":     "--tls --cacert /ca",
	} {
		f := &RedisFlags{URL: url, tls: files{of: "redis", ca: "/ca"}}
		r, err := parseRedis(url, "")
		if got := f.CLI(r.User, r.Password != ""); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", url, got, err, want)
		}
	}
}
