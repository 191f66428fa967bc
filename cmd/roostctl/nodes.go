package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"roost/ring"
)

// nodeSyntax is for usage texts.
const nodeSyntax = "`id[@zone][=host:port]:weight[:capacity]`"

// nodeArg is a node on the command line, and what of it was said.
type nodeArg struct {
	ring.Node
	zone, addr, capacity bool
}

// nodeArgs is a flag that may be given many times.
type nodeArgs []nodeArg

func (n *nodeArgs) String() string { return "" }

func (n *nodeArgs) Set(s string) error {
	node, err := parseNode(s)
	if err != nil {
		return err
	}
	for _, o := range *n {
		if o.ID == node.ID {
			return fmt.Errorf("node %q is given twice", o.ID)
		}
	}
	*n = append(*n, node)
	return nil
}

func (n nodeArgs) nodes() (nodes []ring.Node) {
	for _, o := range n {
		nodes = append(nodes, o.Node)
	}
	return nodes
}

// parseNode reads id[@zone][=host:port]:weight[:capacity]. In an id or a zone the
// characters @ = : % are written %40 %3d %3a %25. A port is always there, so that
// it is not taken for the weight; an IPv6 host stands in brackets.
func parseNode(s string) (n nodeArg, err error) {
	id, rest := cutAt(s, "@=:")
	if n.ID, err = url.PathUnescape(id); err != nil {
		return n, fmt.Errorf("id %q: %w: %% itself is written %%25", id, err)
	}
	if zone, ok := strings.CutPrefix(rest, "@"); ok {
		n.zone = true
		zone, rest = cutAt(zone, "=:")
		if n.Zone, err = url.PathUnescape(zone); err != nil {
			return n, fmt.Errorf("zone %q: %w: %% itself is written %%25", zone, err)
		}
	}
	if addr, ok := strings.CutPrefix(rest, "="); ok {
		n.addr = true
		if n.Addr, rest, err = cutAddr(addr); err != nil {
			return n, err
		}
	}
	weight, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return n, errors.New("it has no weight: write it as id:weight, such as node-1:1 (an address is host:port, before the weight)")
	}
	weight, capacity, hasCapacity := strings.Cut(weight, ":")
	if n.Weight, err = amount("weight", weight); err != nil {
		return n, err
	}
	if n.capacity = hasCapacity; hasCapacity {
		if n.Capacity, err = amount("capacity", capacity); err != nil {
			return n, err
		}
	}
	return n, errors.Join(n.CheckTexts(), n.CheckAmounts())
}

// cutAt splits s before the first of some characters.
func cutAt(s, at string) (before, rest string) {
	if i := strings.IndexAny(s, at); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// cutAddr splits host:port off.
func cutAddr(s string) (addr, rest string, err error) {
	host := strings.IndexByte(s, ':')
	if strings.HasPrefix(s, "[") {
		if host = strings.IndexByte(s, ']') + 1; host == 0 {
			return "", "", fmt.Errorf("address %q has no ]", s)
		}
	}
	if host <= 0 || host == len(s) || s[host] != ':' {
		return "", "", fmt.Errorf("address %q has no port: write host:port", s)
	}
	port, _ := cutAt(s[host+1:], ":")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", fmt.Errorf("address %q: port %q is not 0 to 65535: write host:port, then the weight", s, port)
	}
	end := host + 1 + len(port)
	return s[:end], s[end:], nil
}

func amount(what, s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%s %q is not a number", what, s)
	}
	return v, nil
}
