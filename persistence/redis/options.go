package redis

import (
	"errors"
	"fmt"
	"time"

	"hubd/persistence"
)

// DefaultTimeout bounds every call that needs the engine.
const DefaultTimeout = 5 * time.Second

// Options are those of Open.
type Options struct {
	// URL says where the engine is; see the package comment. Required.
	URL string
	// Prefix is what the names of all keys begin with, in braces; it stands in for the URL's "prefix".
	Prefix string
	// Retention bounds the history. All nodes should have the same.
	Retention persistence.Retention
	// Ring bounds the newest events that are kept in memory.
	Ring persistence.RingOptions
	// Now is the clock that dates events; nil is time.Now.
	Now func() time.Time
	// Timeout bounds a call that needs the engine; DefaultTimeout if it is 0.
	Timeout time.Duration
	// Contacted is told when the engine stops to answer and when it answers again; it may be nil.
	Contacted persistence.Contacted
	// Lost is told that the engine lost the events after one position up to another; it may be nil.
	Lost func(after, upto uint64)
	// Damaged is told of each record that cannot be read, perhaps more than once. An event without topics stands in for
	// it. It is called from any goroutine and must neither block nor call the log; it may be nil.
	Damaged func(position uint64, err error)
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Validate reports an option that makes no sense. What it says of the URL has no password in it.
func (o Options) Validate() error {
	if _, err := parseAddress(o.URL); err != nil {
		return err
	}
	if o.Prefix != "" && !validPrefix(o.Prefix) {
		return errPrefix
	}
	if o.Timeout < 0 {
		return fmt.Errorf("the timeout %s is negative", o.Timeout)
	}
	if err := o.Retention.Validate(); err != nil {
		return err
	}
	return o.Ring.Validate()
}

var errPrefix = errors.New("the prefix of keys is to be 1 to 64 letters, digits, '-', '_', '.' or ':'")

func validPrefix(prefix string) bool {
	if prefix == "" || len(prefix) > 64 {
		return false
	}
	for _, c := range []byte(prefix) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == ':':
		default:
			return false
		}
	}
	return true
}
