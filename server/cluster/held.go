package cluster

// Stored returns the versions that are in force, with their bytes; nil for what is
// not.
func (a *Active) Stored() (stable, canary *Stored) { return a.stable, a.canary }

// ReadStored reads the bytes of a version that somebody else has kept, and checks
// them: that it is a ring, of that number, with that content. The error is
// ErrDamaged.
func ReadStored(version uint64, hash Hash, b []byte) (*Stored, error) {
	return checkedStored(version, hash, b)
}
