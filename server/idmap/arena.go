package idmap

// MaxID is the longest device id in bytes.
const MaxID = 128

// idRef says where an id lies: 3 bits of cell size, 29 bits of cell number.
type idRef uint32

// cellSizes are the sizes of cells; the first byte of a cell is the id's
// length. The steps waste at most a third.
var cellSizes = [8]int{8, 16, 24, 32, 48, 64, 96, 136}

// cellsPerChunk is the number of cells allocated at once.
const cellsPerChunk = 128

// arena keeps ids in cells, without a pointer or an allocation per id.
type arena struct {
	classes [len(cellSizes)]struct {
		chunks [][]byte
		used   uint32   // cells ever used
		free   []uint32 // cells given back
	}
}

// put stores id, at most MaxID bytes.
func (a *arena) put(id []byte) idRef {
	class := 0
	for cellSizes[class] < len(id)+1 {
		class++
	}
	c := &a.classes[class]
	var cell uint32
	if n := len(c.free); n > 0 {
		cell = c.free[n-1]
		c.free = c.free[:n-1]
	} else {
		cell = c.used
		c.used++
		if int(cell/cellsPerChunk) == len(c.chunks) {
			c.chunks = append(c.chunks, make([]byte, cellsPerChunk*cellSizes[class]))
		}
	}
	ref := idRef(uint32(class)<<29 | cell)
	b := a.cell(ref)
	b[0] = byte(len(id))
	copy(b[1:], id)
	return ref
}

// get returns the id at ref, valid until it is dropped.
func (a *arena) get(ref idRef) []byte {
	b := a.cell(ref)
	return b[1 : 1+int(b[0])]
}

// drop gives the cell at ref back.
func (a *arena) drop(ref idRef) {
	c := &a.classes[ref>>29]
	c.free = append(c.free, uint32(ref)&(1<<29-1))
}

func (a *arena) cell(ref idRef) []byte {
	size := cellSizes[ref>>29]
	cell := int(ref & (1<<29 - 1))
	at := cell % cellsPerChunk * size
	return a.classes[ref>>29].chunks[cell/cellsPerChunk][at : at+size]
}
