package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
)

// DefaultTimeout is the deadline of a request to etcd.
const DefaultTimeout = 5 * time.Second

// Options say which cluster is meant and where its etcd is.
type Options struct {
	// Endpoints are host:port or URLs of etcd's members; at least one.
	Endpoints []string
	// Prefix of all keys; DefaultPrefix if empty.
	Prefix string
	// Cluster is compared with what the prefix belongs to.
	Cluster Identity
	// Timeout is the deadline of each request; DefaultTimeout if 0.
	Timeout time.Duration
	// Username and Password, if etcd asks for them.
	Username, Password string
	// TLS, if etcd is reached by it.
	TLS *tls.Config
	// Note is told what went wrong and is being mended, from the goroutines that
	// notice it: it must not block. Nil is nobody.
	Note func(Note)
}

// Note is something that went wrong and is tried again.
type Note struct {
	What string // a few words: "watch", "register n1"
	Err  error
}

// Client is one connection to one prefix of one etcd. Any number of goroutines
// may use it.
type Client struct {
	// Static after Dial.
	etcd *clientv3.Client
	keys keys
	id   Identity
	mark string // value of the cluster key that is ours
	o    Options
}

// Dial makes a client. It does not wait for etcd, which may be down: Identify or
// Ping say whether it is there. Errors are ErrOptions.
func Dial(o Options) (*Client, error) {
	k, err := newKeys(o.Prefix)
	if err != nil {
		return nil, err
	}
	if err := o.Cluster.check(); err != nil {
		return nil, err
	}
	switch {
	case len(o.Endpoints) == 0:
		return nil, fmt.Errorf("%w: no endpoints: name at least one host:port of etcd", ErrOptions)
	case (o.Username == "") != (o.Password == ""):
		return nil, fmt.Errorf("%w: a user of etcd and a password, or neither", ErrOptions)
	case o.Timeout < 0:
		return nil, fmt.Errorf("%w: a timeout of %v: more than 0, or 0 for %v", ErrOptions, o.Timeout, DefaultTimeout)
	case o.Timeout == 0:
		o.Timeout = DefaultTimeout
	}
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints:   o.Endpoints,
		DialTimeout: o.Timeout,
		// A peer that is gone without a word is noticed within 13 s.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		TLS:                  o.TLS,
		Logger:               zap.NewNop(), // it writes to stderr otherwise
		DialOptions:          dialOptions(&o),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: etcd %v: %w", ErrOptions, o.Endpoints, err)
	}
	return &Client{etcd: etcd, keys: k, id: o.Cluster, mark: o.Cluster.encode(), o: o}, nil
}

func dialOptions(o *Options) []grpc.DialOption {
	// gRPC's own waits grow to two minutes: an etcd that is back would not be
	// seen for as long.
	options := []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           grpcbackoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.3, MaxDelay: 2 * time.Second},
		MinConnectTimeout: 3 * time.Second,
	})}
	if o.Username != "" {
		options = append(options, (&token{user: o.Username, password: o.Password}).options()...)
	}
	return options
}

// Close ends the connection. What was made of the client is closed before.
func (c *Client) Close() error { return c.etcd.Close() }

// Ping asks etcd for a linearizable read, within the timeout.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	if _, err := c.etcd.Get(ctx, c.keys.cluster(), clientv3.WithKeysOnly()); err != nil {
		return c.failed("ping", err)
	}
	return nil
}

// within gives a request its deadline.
func (c *Client) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.o.Timeout)
}

// after gives a request its deadline that is made while ctx has ended: what
// cleans up.
func (c *Client) after(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), c.o.Timeout)
}

// failed wraps an error of etcd's.
func (c *Client) failed(what string, err error) error {
	return fmt.Errorf("%s: etcd %v: %w", what, c.o.Endpoints, err)
}

// only returns the one key of a read, nil if it is not there.
func only(kvs []*mvccpb.KeyValue) *mvccpb.KeyValue {
	if len(kvs) == 0 {
		return nil
	}
	return kvs[0]
}

func (c *Client) note(what string, err error) {
	if c.o.Note != nil && err != nil {
		c.o.Note(Note{what, err})
	}
}
