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
		"mysql://user:pass@host/0?x=y": {"mysql", "user:pass@host/0", "mysql://[redacted]"},
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

func TestStoreOfAServer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ engine, shown string }{
		"redis://user:pass@host/0?x=y":                     {"redis", "redis://host"},
		"rediss://:pass@host:6380":                         {"redis", "rediss://host:6380"},
		"postgres://u:p@a:5432,b:5433/hub?sslmode=require": {"postgres", "postgres://a:5432,b:5433"},
		"POSTGRESQL://u@[::1]:5432/hub":                    {"postgres", "postgresql://[::1]:5432"},
		"nats://u:p@a:4222,nats://v:q@ignored":             {"nats", "nats://a:4222,ignored"},
		"nats://u:p@a:4222,v:q@b:4222":                     {"nats", "nats://a:4222,b:4222"},
		"tls://token@host":                                 {"nats", "tls://host"},
		"redis://user:p@ss@host":                           {"redis", "redis://host"},
		"redis://user:pa/ss@host":                          {"redis", "redis://[redacted]"},
		"redis://user:pass word":                           {"redis", "redis://[redacted]"},
		"valkeys://u:p@host:1":                             {"redis", "valkeys://host:1"},
		"unix://u:p@/run/redis.sock?db=2":                  {"redis", "unix:///run/redis.sock"},
		"unix://u:p":                                       {"redis", "unix://[redacted]"},
		"redis://user:password":                            {"redis", "redis://[redacted]"},
		"redis://?password=x":                              {"redis", "redis://[redacted]"},
		"bolt://hub.db":                                    {"", "bolt://hub.db"},
	}
	for address, want := range tests {
		if s := NewStore(address); s.Engine() != want.engine || s.String() != want.shown {
			t.Errorf("NewStore(%q): engine %q, shown %q; want %v", address, s.Engine(), s, want)
		}
	}
}
