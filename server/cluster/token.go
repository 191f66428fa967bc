package cluster

import (
	"context"
	"errors"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

// token is what etcd knows a user by, asked for with his password and again when etcd
// refuses it: it forgets them when it restarts, and after five minutes of silence.
//
// The library has this too, in another way. It asks at Dial, and fails where etcd is away.
// It sends the refused token along when it asks for a new one, which etcd 3.4 refuses
// likewise: after a restart of etcd the client is shut out for good. And it asks before
// each stream, also for a lease's, which needs none: at some 60 ms of etcd's CPU for a
// password (bcrypt), two leases a node and a look at each every 1.7 to 3.3 s, 20 nodes
// would keep a core of etcd's busy.
type token struct {
	// Static after Dial.
	user, password string

	mu     sync.Mutex // covers the following
	text   string     // as etcd gave it; "": none yet, or none is needed
	known  bool       // etcd was asked since it refused the last one
	flight chan struct{}
}

// authService begins the names of what needs no token.
const authService = "/etcdserverpb.Auth"

// watchMethod is the stream that needs one.
const watchMethod = "/etcdserverpb.Watch/Watch"

// options are what a client is dialed with.
func (t *token) options() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithPerRPCCredentials(t), grpc.WithChainUnaryInterceptor(t.unary), grpc.WithChainStreamInterceptor(t.stream),
	}
}

// GetRequestMetadata implements credentials.PerRPCCredentials. uri ends with the service.
func (t *token) GetRequestMetadata(_ context.Context, uri ...string) (map[string]string, error) {
	text, _ := t.now()
	if text == "" || len(uri) > 0 && strings.HasSuffix(uri[0], authService) {
		return nil, nil
	}
	return map[string]string{rpctypes.TokenFieldNameGRPC: text}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: whether there is TLS
// is the operator's choice.
func (t *token) RequireTransportSecurity() bool { return false }

func (t *token) now() (text string, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text, t.known
}

// unary makes a request, once more with a new token if etcd refuses this one.
func (t *token) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if strings.HasPrefix(method, authService) {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	text, known := t.now()
	if !known {
		if err := t.renew(ctx, cc); err != nil {
			return err
		}
		text, _ = t.now()
	}
	err := invoke(ctx, method, req, reply, cc, opts...)
	if !refused(err) {
		return err
	}
	t.forget(text)
	if err := t.renew(ctx, cc); err != nil {
		return err
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// stream opens a stream. A watch gets a new token before: of one that is not good any more
// etcd says only that it permits nothing.
func (t *token) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if method == watchMethod {
		text, _ := t.now()
		t.forget(text)
		if err := t.renew(ctx, cc); err != nil {
			return nil, err
		}
	}
	return open(ctx, desc, cc, method, opts...)
}

// refused reports that etcd does not know the token, or that there is none.
func refused(err error) bool {
	if err == nil {
		return false
	}
	err = rpctypes.Error(err)
	return errors.Is(err, rpctypes.ErrInvalidAuthToken) || errors.Is(err, rpctypes.ErrAuthOldRevision) || errors.Is(err, rpctypes.ErrUserEmpty)
}

// forget has the next request ask for another token than text.
func (t *token) forget(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text == text {
		t.known = false
	}
}

// renew asks for a token unless one is good, as far as is known. One asks, the others wait.
func (t *token) renew(ctx context.Context, cc *grpc.ClientConn) error {
	for {
		t.mu.Lock()
		if t.known {
			t.mu.Unlock()
			return nil
		}
		wait := t.flight
		if wait == nil {
			t.flight = make(chan struct{})
		}
		t.mu.Unlock()
		if wait == nil {
			return t.ask(ctx, cc)
		}
		select {
		case <-wait: // if that one has failed, this one asks
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ask gets a token. It is called by who has set flight.
func (t *token) ask(ctx context.Context, cc *grpc.ClientConn) error {
	resp, err := etcdserverpb.NewAuthClient(cc).Authenticate(ctx, &etcdserverpb.AuthenticateRequest{Name: t.user, Password: t.password})
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.flight)
	t.flight = nil
	switch {
	case err == nil:
		t.text, t.known = resp.Token, true
	case errors.Is(rpctypes.Error(err), rpctypes.ErrAuthNotEnabled): // everybody may everything
		t.text, t.known, err = "", true, nil
	}
	return err
}
