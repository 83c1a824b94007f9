package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"hubd/persistence"
)

// DefaultLockTimeout is long enough for one attempt at the lock. Waiting for a file that another
// process holds is the caller's, who can tell readiness probes about it.
const DefaultLockTimeout = 10 * time.Millisecond

const fileMode fs.FileMode = 0o600

// Options are those of Open. Only Path is required.
type Options struct {
	// Path is the file; it is created, but not its directory.
	Path string
	// Retention bounds the history.
	Retention persistence.Retention
	// Ring bounds the newest events that are read without going to the file.
	Ring persistence.RingOptions
	// LockTimeout is how long to try for the file's lock; 0 is DefaultLockTimeout.
	LockTimeout time.Duration
	// Now is the clock that dates events; nil is time.Now.
	Now func() time.Time
	// Damaged is told of each record that cannot be read, by Open or by whoever first tries to, once as
	// long as the log is open. Readers pass over such a record. It is called from any goroutine and must
	// neither block nor call the log; it may be nil.
	Damaged func(position uint64, err error)

	// noSync leaves out the syncs, for tests of what does not depend on them.
	noSync bool
	// openFile lets tests get hold of the open file; nil is os.OpenFile.
	openFile func(string, int, fs.FileMode) (*os.File, error)
}

func (o Options) withDefaults() Options {
	if o.LockTimeout == 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Validate reports an option that makes no sense.
func (o Options) Validate() error {
	if o.Path == "" {
		return errors.New("the path is empty")
	}
	if o.LockTimeout < 0 {
		return fmt.Errorf("the lock timeout %s is negative", o.LockTimeout)
	}
	if err := o.Retention.Validate(); err != nil {
		return err
	}
	return o.Ring.Validate()
}
