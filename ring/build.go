package ring

import "fmt"

// Options of Build. The zero value is the default.
type Options struct {
	// PointsPerUnit is how many points a weight of 1 stands for; DefaultPointsPerUnit if 0. More
	// spread better and follow small changes of weight more finely, and cost 10
	// bytes each.
	PointsPerUnit int
	// TableBits is the logarithm of the number of slots, MinTableBits to
	// MaxTableBits; 0 chooses one or two slots a point, from 2^16 to 2^18 (128 to
	// 512 KiB), and at least 64 a node up to 2^20, which only matters above 4,096
	// nodes. It stays for all versions that follow by Apply, since another table
	// moves keys between nodes that have not changed. So a ring that starts small
	// should have the table of the size to which it will grow: 2^16, the least that
	// is chosen, is enough for 1,024 nodes, 2^18 for 4,096.
	TableBits int
	// Raw leaves every node with the points that its weight stands for. Otherwise
	// they are calibrated: each node gets points or loses some until its share of
	// the table is what its weight asks for.
	Raw bool
}

// DefaultPointsPerUnit is how many points a weight of 1 stands for where nothing is said.
const DefaultPointsPerUnit = 160

const (
	leastBits    = 16 // 128 KiB: half a ns more than 2^12, and room for 1,024 nodes
	mostBits     = 18 // what is larger leaves the second-level cache
	slotsPerNode = 64 // fewer could not follow weights
	maxPerUnit   = 65536
)

func (o *Options) setDefaults() error {
	if o.PointsPerUnit == 0 {
		o.PointsPerUnit = DefaultPointsPerUnit
	}
	if o.PointsPerUnit < 1 || o.PointsPerUnit > maxPerUnit {
		return fmt.Errorf("%w: PointsPerUnit is %d, must be 1 to %d", ErrOptions, o.PointsPerUnit, maxPerUnit)
	}
	return checkTableBits(o.TableBits)
}

func checkTableBits(bits int) error {
	if bits != 0 && (bits < MinTableBits || bits > MaxTableBits) {
		return fmt.Errorf("%w: TableBits is %d, must be %d to %d, or 0", ErrOptions, bits, MinTableBits, MaxTableBits)
	}
	return nil
}

// Build makes a ring of nodes, in any order. Two calls with the same arguments
// give the same ring. Errors are ErrNode, ErrOptions or ErrTooBig.
//
// Build calibrates all nodes together, so a ring that is built anew with one
// node more moves keys between the others: use Apply to change a ring.
func Build(version uint64, nodes []Node, o Options) (*Ring, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	d := Definition{Version: version, PointsPerUnit: o.PointsPerUnit, TableBits: o.TableBits}
	points := 0
	for _, n := range nodes {
		if err := n.check(); err != nil {
			return nil, err
		}
		if err := checkWeight(&n, o.PointsPerUnit); err != nil {
			return nil, err
		}
		count := int(nominalPoints(&n, o.PointsPerUnit))
		points = min(points+count, MaxPoints+1) // Check refuses more
		d.Nodes = append(d.Nodes, Member{Node: n, Points: count})
	}
	d.sort()
	if d.TableBits == 0 {
		d.TableBits = min(max(ceilLog2(points), leastBits), mostBits)
		d.TableBits = max(d.TableBits, min(ceilLog2(slotsPerNode*len(nodes)), MaxTableBits))
	}
	r, err := d.Ring()
	if err != nil || o.Raw {
		return r, err
	}
	r.calibrate()
	return r, nil
}

// ceilLog2 returns the smallest k with 2^k >= n.
func ceilLog2(n int) int {
	k := 0
	for 1<<k < n {
		k++
	}
	return k
}
