package testetcd

import (
	"testing"

	"roost/server/engines"
)

// Server is one etcd.
type Server = engines.Etcd

// Start starts etcd with fast elections, in addition with args, and waits until it
// is healthy. It ends with the test.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return engines.StartEtcd(tb, args...)
}

// StartTLS is Start with a second listener that speaks TLS: engines.StartEtcdTLS.
func StartTLS(tb testing.TB, cert, key, ca string, args ...string) *Server {
	tb.Helper()
	return engines.StartEtcdTLS(tb, cert, key, ca, args...)
}
