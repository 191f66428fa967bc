package engines

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken from below the kernel's range for outgoing connections (32,768 and
// up). In that range the port of a server that was killed could be given to any
// client meanwhile, and a client that dials a dead port of loopback over and over would
// sooner or later be given that very port and be connected with itself.
const (
	firstPort = 11_000
	lastPort  = 32_000
)

// FreePort returns a port of 127.0.0.1 that nobody listened on a moment ago.
func FreePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port between %d and %d in 1,000 tries", firstPort, lastPort)
}
