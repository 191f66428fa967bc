package cluster

import (
	"context"
	"errors"
	"fmt"

	"roost/ring"
)

// Next returns a number for a new version: above all that are stored, and all that
// the pointer names.
func (v *Versions) Next(ctx context.Context, p Pointer) (uint64, error) {
	list, err := v.List(ctx)
	if err != nil {
		return 0, err
	}
	most := max(p.Stable, p.Canary, p.RolledBack)
	if len(list) > 0 {
		most = max(most, list[len(list)-1])
	}
	return most + 1, nil
}

// Changed returns the ring that a change makes of before, under a number; where before is nil or has no nodes, the
// first one, of the nodes in c.Set by o. Errors are the ring's.
func Changed(before *ring.Ring, version uint64, c ring.Change, o ring.Options) (*ring.Ring, error) {
	if before == nil || before.Len() == 0 {
		return ring.Build(version, c.Set, o)
	}
	return before.Apply(version, c)
}

// maxNumbers is how many numbers Make tries, should some be taken by versions that
// nobody has activated.
const maxNumbers = 16

// Make stores what Changed returns, under version or the first number after it that is free. Nothing is in force by
// that. Errors are Changed's and Put's; ErrConflict is that 16 numbers in a row are taken.
func (v *Versions) Make(ctx context.Context, before *ring.Ring, version uint64, c ring.Change, o ring.Options) (*ring.Ring, error) {
	for try := range uint64(maxNumbers) {
		r, err := Changed(before, version+try, c, o)
		if err != nil {
			return nil, err
		}
		if _, err = v.Put(ctx, r); err == nil {
			return r, nil
		} else if !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: %d to %d are all taken", ErrConflict, version, version+maxNumbers-1)
}
