package experiment

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
)

// place is where one process of a server is: its ports and directory.
type place struct {
	name      string
	port, api int
	dir       string
}

// newPlace finds free ports and makes the directory.
func newPlace(name string) (p place, err error) {
	p.name = name
	if p.port, err = freePort(); err != nil {
		return p, err
	}
	for p.api = p.port; p.api == p.port; {
		if p.api, err = freePort(); err != nil {
			return p, err
		}
	}
	p.dir, err = os.MkdirTemp("", "bench-"+name+"-")
	return p, err
}

// fill replaces the placeholders.
func (p place) fill(s string) string {
	return strings.NewReplacer("{port}", strconv.Itoa(p.port), "{api}", strconv.Itoa(p.api), "{dir}", p.dir, "{name}", p.name).Replace(s)
}

// ports are those that a command asks for.
func (p place) ports(command []string) (list []int) {
	all := strings.Join(command, " ")
	if strings.Contains(all, "{port}") {
		list = append(list, p.port)
	}
	if strings.Contains(all, "{api}") {
		list = append(list, p.api)
	}
	return list
}

// Ports are taken below the usual range of source ports (32768 on), so that
// none of the load's connections has one.
const (
	lowestPort  = 21_000
	highestPort = 31_999
)

// freePort finds a loopback port that nobody listens on.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, ln.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("no free port from %d to %d: %w", lowestPort, highestPort, last)
}
