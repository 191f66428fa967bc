// Package testcerts makes certificates for tests of TLS: an authority, a server at
// 127.0.0.1 that it vouches for, and a client. They hold for an hour.
package testcerts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Files are paths of PEM files.
type Files struct {
	CA                    string // of the authority
	Cert, Key             string // of a server at 127.0.0.1, and at localhost
	ClientCert, ClientKey string
	ElsewhereCert         string // of a server at another name; its key is Key
}

// New makes an authority of its own and what it vouches for.
func New(tb testing.TB) Files {
	tb.Helper()
	dir := tb.TempDir()
	m := &maker{tb: tb, dir: dir, caKey: key(tb), serverKey: key(tb)}
	caTemplate := template("an authority of tests")
	caTemplate.IsCA, caTemplate.BasicConstraintsValid, caTemplate.KeyUsage = true, true, x509.KeyUsageCertSign
	der := m.sign(caTemplate, caTemplate, m.caKey)
	var err error
	if m.ca, err = x509.ParseCertificate(der); err != nil {
		tb.Fatal(err)
	}
	f := Files{CA: m.write("ca.pem", "CERTIFICATE", der)}

	server := template("127.0.0.1")
	server.IPAddresses, server.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	// Nodes of etcd and of a Redis Cluster are each other's clients with it.
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	f.Cert, f.Key = m.write("server.pem", "CERTIFICATE", m.sign(server, m.ca, m.serverKey)), m.writeKey("server.key", m.serverKey)

	elsewhere := template("elsewhere.example")
	elsewhere.DNSNames, elsewhere.ExtKeyUsage = []string{"elsewhere.example"}, server.ExtKeyUsage
	f.ElsewhereCert = m.write("elsewhere.pem", "CERTIFICATE", m.sign(elsewhere, m.ca, m.serverKey))

	clientKey := key(tb)
	client := template("roost")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	f.ClientCert, f.ClientKey = m.write("client.pem", "CERTIFICATE", m.sign(client, m.ca, clientKey)), m.writeKey("client.key", clientKey)
	return f
}

// maker has what certificates are made with.
type maker struct {
	tb               testing.TB
	dir              string
	ca               *x509.Certificate
	caKey, serverKey *ecdsa.PrivateKey
}

// sign signs a certificate of a key, by the authority.
func (m *maker) sign(cert, by *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	m.tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, by, &key.PublicKey, m.caKey)
	if err != nil {
		m.tb.Fatal(err)
	}
	return der
}

func (m *maker) write(name, kind string, der []byte) string {
	m.tb.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		m.tb.Fatal(err)
	}
	return path
}

func (m *maker) writeKey(name string, key *ecdsa.PrivateKey) string {
	m.tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		m.tb.Fatal(err)
	}
	return m.write(name, "PRIVATE KEY", der)
}

func key(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
}
