package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// reachWithin bounds a look at why etcd gives no answer.
const reachWithin = time.Second

// preface is how a client of HTTP/2 begins: RFC 9113, 3.4, and empty settings.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// explained is failed for the first requests of a process, where what is wrong mostly is
// what it was told of etcd. The library says "context deadline exceeded" of nearly all
// of that, so each endpoint is looked at here. An error that only other settings mend is
// an ErrAccess.
func (c *Client) explained(ctx context.Context, what string, err error) error {
	wrapped := c.failed(what, err)
	switch known := rpctypes.Error(err); {
	case errors.Is(ctx.Err(), context.Canceled):
		return wrapped // the caller has left
	case errors.Is(known, rpctypes.ErrAuthFailed):
		return fmt.Errorf("%w: %w: is the password of user %q right?", ErrAccess, wrapped, c.o.Username)
	case errors.Is(known, rpctypes.ErrUserEmpty):
		return fmt.Errorf("%w: %w: it asks for a user and a password", ErrAccess, wrapped)
	case errors.Is(known, rpctypes.ErrPermissionDenied):
		return fmt.Errorf("%w: %w: a role of user %q must allow to read and write all keys that begin with %s/", ErrAccess, wrapped, c.o.Username, c.keys.prefix)
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachWithin)
	defer cancel()
	for _, e := range c.o.Endpoints {
		if why := c.reach(within, e); why != nil {
			return fmt.Errorf("%w: %w", wrapped, why)
		}
	}
	return wrapped
}

// reach says why nothing comes back from an endpoint; nil if something does.
func (c *Client) reach(ctx context.Context, endpoint string) error {
	addr := endpoint
	if _, rest, ok := strings.Cut(endpoint, "://"); ok {
		addr = rest
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err // it names the address
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end) // a conn that is open takes one
	}
	if c.o.TLS == nil {
		switch first, err := greet(conn); {
		case ctx.Err() != nil:
			return nil
		case err != nil, first != 0: // a frame of settings is short: its length begins with 0
			return fmt.Errorf("%s does not speak plain HTTP/2: write https:// before it if it speaks TLS, and check the port", addr)
		}
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	config := c.o.TLS.Clone()
	config.ServerName, config.NextProtos = host, []string{"h2"}
	secure := tls.Client(conn, config)
	if err = secure.HandshakeContext(ctx); err == nil {
		// In TLS 1.3 a server judges the client's certificate after the handshake.
		_, err = greet(secure)
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) { // as of one that just ends
		return fmt.Errorf("%s: %w: leave https:// out if it speaks no TLS, and check the port", addr, err)
	}
	return fmt.Errorf("%w: %s: %w%s", ErrAccess, addr, err, advice(err))
}

// greet begins HTTP/2 and returns the first byte that comes back.
func greet(conn net.Conn) (byte, error) {
	if _, err := conn.Write([]byte(preface)); err != nil {
		return 0, err
	}
	var first [1]byte
	_, err := conn.Read(first[:])
	return first[0], err
}

// advice is what to do about an error of TLS.
func advice(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return ": name the authority that vouches for it (--etcd-ca)"
	case errors.As(err, &name):
		return ": reach it by a name that its certificate has"
	case errors.As(err, &record):
		return ": it speaks no TLS: leave https:// out, or check the port"
	case strings.Contains(err.Error(), "certificate required"), strings.Contains(err.Error(), "bad certificate"), strings.Contains(err.Error(), "unknown certificate authority"):
		return ": it wants a certificate that its authority has signed (--etcd-cert, --etcd-key)"
	}
	return ""
}
