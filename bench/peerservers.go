package bench

import (
	"path/filepath"

	"roost/bench/experiment"
)

// floorName is the server that the others are divided by.
const floorName = "cfloor"

// peerServer is one way to start one server.
type peerServer struct {
	name    string
	command []string
	roost   bool // a roostd; else a server of bench/peers
	echo    bool
}

// peerServers lists what is compared, the floor first.
func peerServers(binary, peers string) []peerServer {
	roost := func(name string, args ...string) peerServer {
		return peerServer{name: name, command: roostd(binary, "{dir}", args...).Command, roost: true, echo: true}
	}
	peer := func(name, bin string, echo bool, args ...string) peerServer {
		command := []string{filepath.Join(peers, bin), "--listen", "127.0.0.1:{port}", "--control", "127.0.0.1:{api}"}
		return peerServer{name: name, command: append(command, args...), echo: echo}
	}
	return []peerServer{
		peer(floorName, "cfloor", true),
		peer("cfloor-io_uring", "cfloor", true, "--io-uring"),
		roost("roost"),
		roost("roost-no-io_uring", "--io-uring", "off"),
		roost("roost-1-loop", "--loops", "1"),
		peer("gobwas", "gobwas", true),
		peer("netpoll", "netpoll", true),
		peer("gws", "gws", true),
		peer("gorilla-tuned", "gorilla", true, "--tuned"),
		peer("coder", "coder", true),
		peer("centrifuge", "centrifuge", false), // its echo would be an RPC
	}
}

// at returns how a server is spoken to under a load; ok is false where it is not
// for it. The peers are bare: centrifuge, too, puts its connect command in front
// of what a bare client sends.
func (s *peerServer) at(load string) (at experiment.Server, ok bool) {
	kind := "plain"
	if s.roost {
		kind = "roost"
	}
	at = experiment.Adapters[kind]
	at.Name, at.Command = s.name, s.command
	if load != loadEcho {
		return at, true
	}
	if s.roost {
		at.URL, at.Dialect = "ws://127.0.0.1:{port}/v1/echo", "plain"
	}
	return at, s.echo
}
