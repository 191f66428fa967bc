package journal

import (
	"bytes"
	"hash/crc32"
)

// HeaderOfVersion returns the header with another format version.
func HeaderOfVersion(b []byte, version uint32) []byte {
	b = bytes.Clone(b[:headerLen])
	le.PutUint32(b[8:], version)
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

// OpenSealed returns how many sealed segments are open.
func (j *Journal) OpenSealed() int {
	j.files.mu.Lock()
	defer j.files.mu.Unlock()
	return j.files.sealed
}

// Constants that tests count with.
const (
	FirstBatch = firstBatch
	MaxOpen    = maxOpen
)
