package config

import "testing"

func TestStore(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ scheme, path, shown string }{
		"bolt://hub.db":                {"bolt", "hub.db", "bolt://hub.db"},
		"bolt://data/hub.db":           {"bolt", "data/hub.db", "bolt://data/hub.db"},
		"bolt:///var/lib/hubd/hub.db":  {"bolt", "/var/lib/hubd/hub.db", "bolt:///var/lib/hubd/hub.db"},
		"bolt://./a%20b.db":            {"bolt", "./a b.db", "bolt://./a b.db"},
		"bolt://a b%.db":               {"bolt", "a b%.db", "bolt://a b%.db"},
		"BOLT://hub.db":                {"bolt", "hub.db", "bolt://hub.db"},
		"memory://":                    {"memory", "", "memory://"},
		"redis://user:pass@host/0?x=y": {"redis", "user:pass@host/0", "redis://[redacted]"},
		"hub.db":                       {"", "", "[redacted]"},
		"":                             {"", "", ""},
	}
	for address, want := range tests {
		s := NewStore(address)
		if s.Scheme() != want.scheme || s.Path() != want.path || s.String() != want.shown || s.URL() != address {
			t.Errorf("NewStore(%q): scheme %q, path %q, shown %q; want %v", address, s.Scheme(), s.Path(), s, want)
		}
	}
}
