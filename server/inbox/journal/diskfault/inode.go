package diskfault

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// maxVersions is how many unsynced versions of one sector are kept, besides the
// durable one: the disk may have written any of them.
const maxVersions = 3

// settle makes everything durable as it is.
func (n *inode) settle() {
	n.size = len(n.data)
	n.sizes, n.limboSz = nil, nil
	n.sectors, n.dirty, n.limbo = map[int][]byte{}, map[int][][]byte{}, map[int][][]byte{}
	if n.bad == nil {
		n.bad = map[int]bool{}
	}
}

// sector returns a copy of the sector's bytes as they are read, up to the end of
// the file.
func (n *inode) sector(i int) []byte {
	lo := min(i*Sector, len(n.data))
	return slices.Clone(n.data[lo:min(lo+Sector, len(n.data))])
}

// touch remembers the durable contents of a sector that is about to change.
func (n *inode) touch(i int) {
	if _, ok := n.sectors[i]; !ok {
		n.sectors[i] = n.sector(i)
	}
}

// wrote remembers the contents of a sector that has changed.
func (n *inode) wrote(i int) {
	v := append(n.dirty[i], n.sector(i))
	if len(v) > maxVersions {
		v = v[1:]
	}
	n.dirty[i] = v
	delete(n.bad, i) // the disk puts another sector in its place
}

// write changes bytes, growing the file as needed.
func (n *inode) write(p []byte, off int) {
	if len(p) == 0 {
		return
	}
	first, last := off/Sector, (off+len(p)-1)/Sector
	for i := first; i <= last; i++ {
		n.touch(i)
	}
	if grow := off + len(p) - len(n.data); grow > 0 {
		n.data = append(n.data, make([]byte, grow)...)
		n.sizes = append(n.sizes, len(n.data))
	}
	copy(n.data[off:], p)
	for i := first; i <= last; i++ {
		n.wrote(i)
	}
}

// truncate changes the size.
func (n *inode) truncate(size int) {
	if size < len(n.data) {
		last := (len(n.data) - 1) / Sector
		for i := size / Sector; i <= last; i++ {
			n.touch(i)
		}
		n.data = n.data[:size:size]
		for i := size / Sector; i <= last; i++ { // zeros, should the file grow again
			n.wrote(i)
		}
	} else {
		n.data = append(n.data, make([]byte, size-len(n.data))...)
	}
	n.sizes = append(n.sizes, size)
}

// sync makes what was written since the last sync durable. What was in limbo
// stays there, unless it was written anew.
func (n *inode) sync() {
	for i := range n.dirty {
		delete(n.sectors, i)
		delete(n.limbo, i)
	}
	if len(n.sizes) > 0 {
		n.size, n.limboSz = len(n.data), nil
		for i := range n.sectors { // behind the end there is nothing
			if i*Sector >= n.size && len(n.limbo[i]) == 0 {
				delete(n.sectors, i)
			}
		}
	}
	n.dirty, n.sizes = map[int][][]byte{}, nil
}

// fail puts what was written since the last sync in limbo: the kernel takes it
// for clean, and nobody knows whether it is on disk.
func (n *inode) fail() {
	for i, v := range n.dirty {
		n.limbo[i] = append(n.limbo[i], v...)
	}
	n.limboSz = append(n.limboSz, n.sizes...)
	n.dirty, n.sizes = map[int][][]byte{}, nil
}

// crash chooses what is left.
func (n *inode) crash(rng *rand.Rand, share float64) {
	size := n.size
	if sizes := append(slices.Clone(n.limboSz), n.sizes...); len(sizes) > 0 && rng.Float64() < share {
		size = sizes[rng.IntN(len(sizes))]
	}
	data := make([]byte, max(size, len(n.data)))
	copy(data, n.data)
	for _, i := range slices.Sorted(maps.Keys(n.sectors)) {
		v := append(slices.Clone(n.limbo[i]), n.dirty[i]...)
		b := n.sectors[i]
		if len(v) > 0 && rng.Float64() < share {
			b = v[len(v)-1]
			if rng.IntN(4) == 0 {
				b = v[rng.IntN(len(v))]
			}
		}
		if lo := i * Sector; lo < len(data) {
			clear(data[lo:min(lo+Sector, len(data))])
			copy(data[lo:], b)
		}
	}
	n.data = data[:size:size]
	n.settle()
}
