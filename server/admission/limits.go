package admission

import (
	"fmt"
	"time"
)

// Limits bound who connects, and how often. The zero value is no limit at all; Usual is what
// a node has that is not told otherwise.
type Limits struct {
	// Node is how many connects a second a node takes at most: its Budget is what it has
	// measured, and no more than this. 0: as many as come.
	Node float64
	// Address is how many connects a second may come from one address, or from one
	// network of 64 bits of IPv6. 0: as many as come.
	Address float64
	// Device is how many connects a second one device may make. 0: as many as it makes, and
	// there is no quarantine.
	Device float64
	// Quarantine is for how long a device is kept out that connects MostInMinute times
	// in a minute; up to MostQuarantine, in whole seconds. 0: none is.
	Quarantine time.Duration
}

// Usual are the limits of a node that is not told otherwise.
var Usual = Limits{Node: MostBudget, Address: 100, Device: 1, Quarantine: 5 * time.Minute}

// MostQuarantine is the longest quarantine: as long as clients heed a Retry-After.
const MostQuarantine = time.Hour

// Check refuses what cannot be meant.
func (l *Limits) Check() error {
	for _, rate := range []struct {
		name string
		n    float64
	}{{"accept-rate", l.Node}, {"address-rate", l.Address}, {"device-rate", l.Device}} {
		if !(rate.n == 0 || rate.n >= 0.1 && rate.n <= 1e6) {
			return fmt.Errorf("%s is %v: want 0.1 to 1,000,000 connects a second, or 0 for no limit", rate.name, rate.n)
		}
	}
	if l.Quarantine < 0 || l.Quarantine > MostQuarantine || l.Quarantine%time.Second != 0 {
		return fmt.Errorf("quarantine is %v: want whole seconds up to %v, or 0 for none", l.Quarantine, MostQuarantine)
	}
	return nil
}
