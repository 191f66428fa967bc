package preflight

import (
	"fmt"
	"strings"
)

// Shortfall is one thing that there is not enough of.
type Shortfall struct {
	What string // descriptors of a worker, source ports, memory ...
	Need string
	Have string
	// Mend holds lines of which any one mends it: shell commands, or flags of
	// this program.
	Mend []string
	// Advice says that the run can be made all the same, and may not be what was
	// meant.
	Advice bool
}

// String says it in one line.
func (s Shortfall) String() string {
	line := fmt.Sprintf("%s: %s needed, %s there", s.What, s.Need, s.Have)
	if len(s.Mend) > 0 {
		line += "; do: " + strings.Join(s.Mend, "  or: ")
	}
	return line
}
