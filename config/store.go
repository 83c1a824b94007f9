package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
)

// The stores that this version has.
const (
	StoreMemory   = "memory"
	StoreBolt     = "bolt"
	StoreRedis    = "redis"
	StorePostgres = "postgres"
	StoreNATS     = "nats"
)

// engines are the schemes of the stores that several hubs share, with the name of each store.
func engines() map[string]string {
	return map[string]string{
		"redis": StoreRedis, "rediss": StoreRedis, "valkey": StoreRedis, "valkeys": StoreRedis, "unix": StoreRedis,
		"postgres": StorePostgres, "postgresql": StorePostgres,
		"nats": StoreNATS, "tls": StoreNATS,
	}
}

// Store is the address of the hub's log: memory://, bolt://PATH or the URL of a server. Because such a URL may carry a
// password, everything that prints a Store shows only the scheme and the hosts of it, and the path of bolt.
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

// Engine returns which server keeps the log, StoreRedis, StorePostgres or StoreNATS, or nothing for a store of one hub
// alone.
func (s Store) Engine() string { return engines()[s.Scheme()] }

// Hosts returns the hosts of a server's URL, ports included, without user and password; of several, which commas
// separate, each; of unix:// the socket. It returns nothing for what may be a piece of a password that was not encoded.
func (s Store) Hosts() string {
	// NATS takes several whole URLs.
	rest := strings.ReplaceAll(s.rest(), ","+s.Scheme()+"://", ",")
	authority, after := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, after = rest[:i], rest[i:]
	}
	if strings.Contains(after, "@") {
		return ""
	}
	if s.Scheme() == "unix" {
		socket, _, _ := strings.Cut(after, "?")
		return socket
	}
	var hosts []string
	for part := range strings.SplitSeq(authority, ",") {
		// Each may have a user of its own. A password with an "@" ends at the last.
		part = part[strings.LastIndexByte(part, '@')+1:]
		if !isHost(part) {
			return ""
		}
		hosts = append(hosts, part)
	}
	return strings.Join(hosts, ",")
}

// isHost reports whether the text is a name or an address, perhaps with a port.
func isHost(text string) bool {
	host, port, found := text, "", false
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		host, port, found = text[:i], text[i+1:], true
	}
	if host == "" || found && (port == "" || strings.Trim(port, "0123456789") != "") {
		return false
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		_, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil
	}
	return !strings.ContainsFunc(host, func(r rune) bool { return !isNameRune(r) })
}

// isNameRune reports whether names of hosts have the character.
func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r)
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
	case "":
		return "is not the URL of a store; write bolt://PATH, memory://, or the URL of a server: redis://, postgres:// or nats://"
	default:
		if s.Engine() == "" {
			return "its scheme is not known; use bolt://PATH, memory://, redis://, rediss://, valkey://, valkeys://, unix://, postgres://, postgresql://, nats:// or tls://"
		}
		if s.Hosts() == "" {
			return scheme + ":// lacks the server, or has a character there that must be percent-encoded; write it like " + scheme + "://user:password@host"
		}
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
	if s.Engine() != "" {
		if hosts := s.Hosts(); hosts != "" {
			return s.Scheme() + "://" + hosts
		}
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
