package ledger

import (
	"errors"
	"fmt"
)

// ErrFault is wrapped by the error of a run in which a delivery was wrong.
var ErrFault = errors.New("wrong delivery")

// maxFaults is how many faults are kept; the rest is only counted.
const maxFaults = 20

// Fault is one delivery that was wrong.
type Fault struct {
	Stream int
	Group  uint32
	// Place is how many events of the group the stream had received before.
	Place int
	What  string
}

func (f Fault) String() string {
	return fmt.Sprintf("stream %d, group %d, after %d events: %s", f.Stream, f.Group, f.Place, f.What)
}

// Faults collects what was wrong in a run.
type Faults struct {
	List  []Fault
	Total int
}

// Add notes a fault.
func (f *Faults) Add(x Fault) {
	f.Total++
	if len(f.List) < maxFaults {
		f.List = append(f.List, x)
	}
}
