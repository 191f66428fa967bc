package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// maxFile bounds a file that is read: a bundle of authorities has some 200 KiB.
const maxFile = 1 << 20

// files are the paths of what TLS needs; empty: none.
type files struct {
	of            string // "etcd" or "redis", as flags begin
	ca, cert, key string
}

// define defines the flags of TLS to a server.
func (f *files) define(fs *flag.FlagSet, of string) {
	f.of = of
	fs.StringVar(&f.ca, of+"-ca", "", "`file` of the authorities (PEM) that vouch for "+of+" (default: the system's)")
	fs.StringVar(&f.cert, of+"-cert", "", "`file` of the certificate (PEM) that this process shows "+of)
	fs.StringVar(&f.key, of+"-key", "", "`file` of its key (PEM)")
}

// any returns the name of a flag that is given.
func (f *files) any() string {
	switch {
	case f.ca != "":
		return f.of + "-ca"
	case f.cert != "":
		return f.of + "-cert"
	case f.key != "":
		return f.of + "-key"
	}
	return ""
}

// config reads the files. Errors name the flag and the file.
func (f *files) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := readSmall(f.ca)
		if err != nil {
			return nil, fmt.Errorf("--%s-ca: %w", f.of, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--%s-ca %s: no certificate is in it: want PEM, -----BEGIN CERTIFICATE-----", f.of, f.ca)
		}
	}
	switch {
	case f.cert == "" && f.key == "":
		return c, nil
	case f.key == "":
		return nil, fmt.Errorf("--%[1]s-cert without --%[1]s-key: a certificate is shown with its key; give both, or neither", f.of)
	case f.cert == "":
		return nil, fmt.Errorf("--%[1]s-key without --%[1]s-cert: a key proves a certificate; give both, or neither", f.of)
	}
	if _, err := f.pair(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return f.pair() }
	return c, nil
}

// pair reads certificate and key.
func (f *files) pair() (*tls.Certificate, error) {
	cert, err := readSmall(f.cert)
	if err != nil {
		return nil, fmt.Errorf("--%s-cert: %w", f.of, err)
	}
	key, err := readSmall(f.key)
	if err != nil {
		return nil, fmt.Errorf("--%s-key: %w", f.of, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--%[1]s-cert %[2]s and --%[1]s-key %[3]s: %[4]w: want a certificate and its own key, both PEM, the key without a passphrase", f.of, f.cert, f.key, err)
	}
	return &pair, nil
}

// readSmall reads a whole file of at most maxFile bytes.
func readSmall(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err // it names the file
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxFile:
		return nil, fmt.Errorf("%s: more than %d bytes: is it the right file?", path, maxFile)
	case len(b) == 0:
		return nil, fmt.Errorf("%s: %w", path, errEmpty)
	}
	return b, nil
}

var errEmpty = errors.New("the file is empty")
