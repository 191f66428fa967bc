package subject

import (
	_ "unsafe" // go:linkname asks for it

	"github.com/cespare/xxhash/v2"
	"google.golang.org/grpc/balancer"
	_ "google.golang.org/grpc/balancer/ringhash" // the ring is its
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/resolver"
)

// ringhash is the ring of gRPC's ring_hash policy, which follows Envoy's. The
// package keeps it to itself, so its two functions are reached by their names
// for the linker, with types of the same layout. TestRingHashRule would see
// if they were others in another version; without linkname there is no way to
// time its lookup without a client's whole machinery around it.
var ringhash = Subject{
	Name:     "grpc ringhash",
	Module:   "google.golang.org/grpc",
	Note:     "its newRing and pick, by linkname; minimum ring size 160 x nodes of the first build, as a configuration would have it; built anew for every change",
	Points:   PointsPerUnit,
	Weighted: true,
	Mutable:  true,
	New: func(nodes []Node) (Table, error) {
		t := ringhashTable{
			endpoints: resolver.NewEndpointMap[*ringhashEndpoint](),
			size:      uint64(PointsPerUnit * len(nodes)),
		}
		for _, n := range nodes {
			t.set(n)
		}
		return t.build(), nil
	},
	Next: func(t Table, c Change, _ []Node) (Table, error) {
		r := t.(ringhashTable)
		if c.Remove != "" {
			r.endpoints.Delete(endpoint(c.Remove))
		}
		if c.Set != nil {
			r.set(*c.Set)
		}
		return r.build(), nil
	},
}

// ringhashMost is the policy's limit of a ring's size.
const ringhashMost = 8 << 20

//go:linkname ringhashNew google.golang.org/grpc/balancer/ringhash.newRing
func ringhashNew(endpoints *resolver.EndpointMap[*ringhashEndpoint], least, most uint64, log *ringhashLog) *ringhashRing

//go:linkname ringhashPick google.golang.org/grpc/balancer/ringhash.(*ring).pick
func ringhashPick(r *ringhashRing, hash uint64) *ringhashEntry

// ringhashRing has the layout of ringhash.ring.
type ringhashRing struct{ items []*ringhashEntry }

// ringhashEntry has that of ringhash.ringEntry.
type ringhashEntry struct {
	idx     int
	hash    uint64
	hashKey string
	_       uint32
}

// ringhashEndpoint has that of ringhash.endpointState.
type ringhashEndpoint struct {
	hashKey string
	weight  uint32
	_       func()
	_       balancer.State
}

// ringhashLog has that of internal/grpclog.PrefixLogger. Without one newRing
// would write a line about all weights.
type ringhashLog struct {
	logger grpclog.DepthLoggerV2
	_      string
}

var quiet = &ringhashLog{logger: grpclog.Component("ringhash")}

// ringhashTable shares its endpoints with the tables that follow it, as the
// policy does.
type ringhashTable struct {
	endpoints *resolver.EndpointMap[*ringhashEndpoint]
	size      uint64 // least number of points
	ring      *ringhashRing
}

func endpoint(name string) resolver.Endpoint {
	return resolver.Endpoint{Addresses: []resolver.Address{{Addr: name}}}
}

func (t ringhashTable) set(n Node) {
	t.endpoints.Set(endpoint(n.Name), &ringhashEndpoint{hashKey: n.Name, weight: uint32(n.points())})
}

func (t ringhashTable) build() ringhashTable {
	t.ring = ringhashNew(t.endpoints, t.size, ringhashMost, quiet)
	return t
}

func (t ringhashTable) Owner(key string) string {
	return ringhashPick(t.ring, xxhash.Sum64String(key)).hashKey
}

func (t ringhashTable) Impl() any { return ringhashNew }

func (t ringhashTable) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(len(ringhashPick(t.ring, xxhash.Sum64String(keys.At(i))).hashKey))
	}
	return sum
}

func (t ringhashTable) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = len(ringhashPick(t.ring, xxhash.Sum64String(keys.after(i, answer))).hashKey)
		sum += uint64(answer)
	}
	return sum
}
