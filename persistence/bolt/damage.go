package bolt

import "sync"

// damage remembers which records cannot be read, so that each is reported once and not by every reader
// that comes past it.
type damage struct {
	// tell is Options.Damaged.
	tell func(position uint64, err error)

	// mu guards known, which is nil until there is something to remember. Nothing is called under it.
	mu    sync.Mutex
	known map[uint64]struct{}
}

// report tells of a record unless it is known already.
func (d *damage) report(position uint64, err error) {
	d.mu.Lock()
	_, known := d.known[position]
	if !known {
		if d.known == nil {
			d.known = make(map[uint64]struct{})
		}
		d.known[position] = struct{}{}
	}
	d.mu.Unlock()
	if !known && d.tell != nil {
		d.tell(position, err)
	}
}

// forget drops what is known of positions up to before: retention has removed them.
func (d *damage) forget(before uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for position := range d.known {
		if position <= before {
			delete(d.known, position)
		}
	}
}
