// Package ring says which node owns a key: a weighted consistent-hash ring,
// flattened into a table. It does no I/O, reads no clock and imports nothing but a
// hash, so that it can be taken by itself.
//
// # The rule
//
// H is XXH3-64. A node with n points has them at mix(H(id) + (i+1)*golden), 0 <= i
// < n, on the circle of 2^64 hashes: SplitMix64 seeded with the id's hash. Where
// point i lies depends on nothing but the id and i. The table has 2^k slots; slot s
// belongs to the node with the point nearest to the middle of the slot, of
// several at the same distance to the smallest id. A key belongs to the node of
// slot H(key) >> (64-k). docs/RING.md says it for other languages.
//
// The nearest point instead of the next one clockwise costs nothing in a table,
// and makes shares more even: a point's share is half the sum of two gaps, not
// one gap (standard deviation of a node's share of a million keys, 256 nodes x 160
// points, not calibrated: 5.8 % against 8.1 of gRPC's and serialx's rings).
//
// # Weights and calibration
//
// A node wants the share w / sum(w) of the table. w x PointsPerUnit points give
// it about that, 10 to 20 % off at worst. Shares can be counted exactly, so Build
// adds and drops points, node by node, until each share is as near as a point
// can bring it: the largest share of 1,024 nodes is then 1.02 of its target at 160
// points a unit and 1.01 at 640 (raw: 1.18 and 1.16). The number of points is part of the
// definition and stays: nobody calibrates again, and a change fits only the nodes
// whose weight it changes. So keys move only from or to these.
//
//	max share/target   n=16    n=256   n=1024
//	160 points, raw    1.087   1.207   1.176
//	160 points         1.005   1.012   1.020
//	640 points         1.003   1.002   1.008
//
// (go test -run Balance -v; equal weights, tables of 2^16 to 2^18 slots. With
// weights from 0.25 to 2 at most 1.042 and 1.013.)
//
// Points stay where they are when others come and go, so shares drift as nodes
// are replaced by others: Change.Refit mends that, on request, since it moves keys.
//
// # What is promised, and where it is tested
//
//   - Apply moves keys only from or to nodes whose weight changes, and for a
//     change of one node exactly as many as its share changes (TestHistory,
//     TestMovedShare: all slots are looked at).
//   - Equal definitions answer alike, whatever their history (TestHistory,
//     CheckInvariants), in every language (testdata/vectors.tsv).
//   - A Ring never changes; a lookup takes no lock and allocates nothing
//     (TestStressSwaps, TestLookupAlloc).
//   - The table is the rule (TestTableIsTheRule and TestTies: a twin looks at all
//     points).
//
// # Cost
//
// A lookup hashes and loads once, whatever the number of nodes: 4 ns, of which a
// hash and a load inlined in the caller's loop are 3. A change copies the table
// (128 to 512 KiB, 2 MiB above 4,096 nodes), 80 bytes a node and the chunks of
// points that it touches: 100 us at 1,024 nodes. bench/ringpeers measures both
// beside other libraries (make bench-ring).
//
// # Words
//
// A Ring is immutable. Routes are one Ring, or two while a new version is on
// trial (canary). A Holder is the one pointer to the current Routes that readers
// load. A Definition is what a Ring is derived from, and what ring/snapshot
// writes down. Seed is the ring of the original report, for comparison.
package ring
