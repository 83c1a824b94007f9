package config

import (
	"log/slog"
	"net/url"
	"strings"
)

// The stores that this version has.
const (
	StoreMemory = "memory"
	StoreBolt   = "bolt"
)

// Store is the address of the hub's log: memory://, bolt://PATH and, in other versions, the URL of a
// server. Because such a URL may carry a password, everything that prints a Store shows only its scheme,
// except for bolt, where it shows the path.
type Store struct{ address Secret }

// NewStore returns the store at the address, unchecked.
func NewStore(address string) Store { return Store{address: NewSecret(address)} }

// URL returns the address as it was written, password included.
func (s Store) URL() string { return s.address.Reveal() }

// Scheme returns what stands before "://", in lower case, or nothing.
func (s Store) Scheme() string {
	scheme, _, found := strings.Cut(s.URL(), "://")
	if !found {
		return ""
	}
	return strings.ToLower(scheme)
}

// Path returns the file of a bolt store: relative to the working directory for bolt://hub.db and
// bolt://data/hub.db, absolute for bolt:///var/lib/hubd/hub.db. Percent-encoding is undone.
func (s Store) Path() string {
	path, _, _ := strings.Cut(s.rest(), "?")
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

func (s Store) rest() string {
	_, rest, _ := strings.Cut(s.URL(), "://")
	return rest
}

// problem says why this version cannot use the store and what to write instead, or nothing. It shows
// no more of the address than its scheme.
func (s Store) problem() string {
	switch scheme := s.Scheme(); scheme {
	case StoreMemory:
		if s.rest() != "" {
			return "memory:// takes nothing after it"
		}
	case StoreBolt:
		if s.Path() == "" {
			return "bolt:// lacks the path of its file; write bolt://hub.db or bolt:///var/lib/hubd/hub.db"
		}
		if strings.Contains(s.rest(), "?") {
			return "bolt:// takes no parameters; the history is bounded by history-max-events, history-max-age and history-max-bytes"
		}
	case "redis", "rediss", "postgres", "postgresql", "nats":
		return scheme + ":// is not available in this version; use bolt://PATH or memory://"
	case "":
		return "is not the URL of a store; write bolt://PATH or memory://"
	default:
		return "its scheme is not known; use bolt://PATH or memory://"
	}
	return ""
}

// String returns the address without what may be secret in it.
func (s Store) String() string {
	switch s.Scheme() {
	case StoreMemory:
		return "memory://"
	case StoreBolt:
		return "bolt://" + s.Path()
	case "":
		return s.address.String()
	}
	return s.Scheme() + "://" + redacted
}

// GoString is String for the %#v verb.
func (s Store) GoString() string { return `config.Store("` + s.String() + `")` }

// LogValue is String for log/slog.
func (s Store) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String for encoders.
func (s Store) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the address as it is; Validate judges it.
func (s *Store) UnmarshalText(text []byte) error {
	*s = NewStore(string(text))
	return nil
}
