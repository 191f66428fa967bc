package slots

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// RedisRebalance returns the redis-cli command that gives the nodes of a Redis
// Cluster their targets. Nodes are named by their ids, 40 hexadecimal digits; entry
// is the address of any of them. Targets are the weights, so that redis-cli, which
// rounds shares down, comes out at just these; they must sum to Count. Errors are
// ErrHolding.
//
// redis-cli's threshold is in percent of a node's slots, and one node above it
// makes all of them move: it is set to what Threshold slots are for the largest
// node. It pairs nodes in its own order, not zone by zone: RedisReshard does
// that.
func RedisRebalance(entry string, hs []Holding, targets []int) (string, error) {
	if err := checkRedis(entry, hs); err != nil {
		return "", err
	}
	if len(targets) != len(hs) {
		return "", fmt.Errorf("%w: %d targets for %d nodes", ErrHolding, len(targets), len(hs))
	}
	weights, largest, left := make([]string, len(hs)), 1, Count
	for i, h := range hs {
		if targets[i] < 0 || targets[i] > left {
			return "", fmt.Errorf("%w: target %d of node %q: targets are not negative, and %d together", ErrHolding, targets[i], h.Node, Count)
		}
		left -= targets[i]
		weights[i] = h.Node + "=" + strconv.Itoa(targets[i])
		largest = max(largest, targets[i])
	}
	if left != 0 {
		return "", fmt.Errorf("%w: the targets sum to %d: a Redis Cluster has %d slots, and redis-cli would take them for shares of these", ErrHolding, Count-left, Count)
	}
	percent := math.Floor(100*100*float64(Threshold)/float64(largest)) / 100
	return fmt.Sprintf("redis-cli --cluster rebalance %s --cluster-weight %s --cluster-use-empty-masters --cluster-threshold %.2f",
		entry, strings.Join(weights, " "), percent), nil
}

// RedisReshard returns a redis-cli command a move. Errors are ErrHolding.
func RedisReshard(entry string, hs []Holding, moves []Move) ([]string, error) {
	if err := checkRedis(entry, hs); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, h := range hs {
		known[h.Node] = true
	}
	lines := make([]string, len(moves))
	for i, m := range moves {
		if !known[m.From] || !known[m.To] || m.Slots < 1 {
			return nil, fmt.Errorf("%w: move of %d slots from %q to %q: not among the nodes, or nothing to move", ErrHolding, m.Slots, m.From, m.To)
		}
		lines[i] = fmt.Sprintf("redis-cli --cluster reshard %s --cluster-from %s --cluster-to %s --cluster-slots %d --cluster-yes", entry, m.From, m.To, m.Slots)
	}
	return lines, nil
}

// checkRedis refuses what must not get into a command line.
func checkRedis(entry string, hs []Holding) error {
	if entry == "" || strings.ContainsFunc(entry, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune(".:-_[]", r))
	}) {
		return fmt.Errorf("%w: %q is no address: use HOST:PORT of any node of the cluster", ErrHolding, entry)
	}
	for _, h := range hs {
		if len(h.Node) != 40 || strings.Trim(h.Node, "0123456789abcdef") != "" {
			return fmt.Errorf("%w: %q is no node id of a Redis Cluster (40 hexadecimal digits, see CLUSTER NODES)", ErrHolding, h.Node)
		}
	}
	return nil
}
