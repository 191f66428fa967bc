package redisskew

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"roost/ring/slots"
)

// Node is a master of the cluster.
type Node struct {
	// ID has 40 hexadecimal digits. Addr is host:port for clients, Host the name that
	// it announces, if any.
	ID, Addr, Host string
	// Replicas are the addresses of its replicas, sorted.
	Replicas []string
	Slots    int
	// Moving is how many slots are on their way to or from it.
	Moving int
	// Down is that the node that was asked takes it for failed.
	Down bool
	// Keys and Memory (bytes, in use) are what it says of itself; MaxMemory is its
	// limit, 0 if it has none. Negative is not known, and Err says why.
	Keys, Memory, MaxMemory int64
	Err                     error
}

// parseNodes reads the answer of CLUSTER NODES: a line a node,
//
//	id ip:port@bus[,host[,key=value]...] flags master pings pongs epoch link slot...
func parseNodes(text string) ([]Node, error) {
	var masters []Node
	replicas := map[string][]string{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 8 {
			return nil, fmt.Errorf("CLUSTER NODES: line %.100q has %d fields, 8 are the least", line, len(fields))
		}
		flags := strings.Split(fields[2], ",")
		addr, host := parseAddr(fields[1])
		switch {
		case slices.Contains(flags, "handshake") || slices.Contains(flags, "noaddr"):
			continue // nobody knows yet, or any more, what it is
		case !slices.Contains(flags, "master"):
			replicas[fields[3]] = append(replicas[fields[3]], addr)
			continue
		}
		n := Node{ID: fields[0], Addr: addr, Host: host, Down: slices.Contains(flags, "fail"), Keys: -1, Memory: -1, MaxMemory: -1}
		if err := n.parseSlots(fields[8:]); err != nil {
			return nil, fmt.Errorf("CLUSTER NODES: node %s: %w", n.ID, err)
		}
		masters = append(masters, n)
	}
	for i := range masters {
		masters[i].Replicas = replicas[masters[i].ID]
		slices.Sort(masters[i].Replicas)
	}
	slices.SortFunc(masters, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
	return masters, nil
}

// parseAddr reads ip:port@bus[,host[,...]].
func parseAddr(field string) (addr, host string) {
	addr, rest, _ := strings.Cut(field, ",")
	if at := strings.LastIndexByte(addr, '@'); at >= 0 {
		addr = addr[:at]
	}
	host, _, _ = strings.Cut(rest, ",")
	if strings.Contains(host, "=") {
		host = ""
	}
	return addr, host
}

// parseSlots counts slots: 5, 0-5460, [93->-id] and [77-<-id].
func (n *Node) parseSlots(fields []string) error {
	for _, f := range fields {
		if strings.HasPrefix(f, "[") {
			n.Moving++
			continue
		}
		from, to, ranged := strings.Cut(f, "-")
		if !ranged {
			to = from
		}
		first, err := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err != nil || err2 != nil || first < 0 || last < first || last >= slots.Count {
			return fmt.Errorf("slots %q", f)
		}
		n.Slots += last - first + 1
	}
	if n.Slots > slots.Count {
		return fmt.Errorf("%d slots", n.Slots)
	}
	return nil
}

// infoField reads a number of INFO's answer; -1 if it is not there.
func infoField(info, name string) int64 {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}
