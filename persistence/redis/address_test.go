package redis

import (
	"reflect"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]address{
		"redis://localhost":                                        {hosts: []string{"localhost:6379"}},
		"valkey://h:1/2":                                           {hosts: []string{"h:1"}, database: 2},
		"redis://:p%40ss@h/":                                       {hosts: []string{"h:6379"}, password: "p@ss"},
		"rediss://u:a/b?c@h:1?ca=/etc/ca.pem":                      {},
		"rediss://u:p@h:1?ca=/etc/ca.pem":                          {hosts: []string{"h:1"}, encrypted: true, user: "u", password: "p", caFile: "/etc/ca.pem"},
		"redis://[::1]":                                            {hosts: []string{"[::1]:6379"}},
		"redis://[::1]:7":                                          {hosts: []string{"[::1]:7"}},
		"redis://a,b:7,[::1]?cluster=true":                         {hosts: []string{"a:6379", "b:7", "[::1]:6379"}, cluster: true},
		"redis://a,b:7/3?sentinel=hubs&wait-replicas=1":            {hosts: []string{"a:26379", "b:7"}, sentinel: "hubs", database: 3, replicas: 1},
		"redis://a?sentinel=m&sentinel-user=u&sentinel-password=p": {hosts: []string{"a:26379"}, sentinel: "m", sentinelUser: "u", sentinelPassword: "p"},
		"unix:///run/redis.sock?db=1&prefix=shop":                  {hosts: []string{"/run/redis.sock"}, socket: true, database: 1, prefix: "shop"},
	} {
		got, err := parseAddress(url)
		if want.hosts == nil {
			if err == nil {
				t.Errorf("%s: is read as %+v", url, got)
			}
			continue
		}
		if want.prefix == "" {
			want.prefix = DefaultPrefix
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", url, got, err, want)
		}
	}
}

func TestAddressErrors(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"localhost":                                  "no scheme",
		"http://u:secret@h":                          "scheme is",
		"redis://":                                   "lacks a host",
		"redis://u:secret@":                          "lacks a host",
		"redis://u:secret@a,b":                       "several hosts",
		"redis://u:secret@a,,b?cluster=true":         "lacks a host",
		"redis://u:secret@h:1:2":                     "a host of the URL",
		"redis://u:secret%zz@h":                      "percent-encoded",
		"redis://u:secret@h/x":                       "database",
		"redis://u:secret@h/-1":                      "database",
		"redis://u:secret@h?db=1":                    "in its path",
		"redis://u:secret@h?wait=1":                  `"wait" that is not known`,
		"redis://u:secret@h?wait-replicas=x":         "from 0 to 100",
		"redis://u:secret@h?wait-replicas=1000":      "from 0 to 100",
		"redis://u:secret@h?ca=x":                    "not rediss",
		"redis://u:secret@h?cluster=perhaps":         "true or false",
		"redis://u:secret@h/1?cluster=true":          "database 0 only",
		"redis://u:secret@h?cluster=true&sentinel=m": "one or the other",
		"redis://u:secret@h?prefix={x}":              "prefix",
		"redis://u:secret@h?%zz":                     "query",
		"unix://secret/path":                         "unix:///path",
		"unix:///path?cluster=true":                  "one engine",
	} {
		_, err := parseAddress(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
		if err := (Options{URL: url}).Validate(); err == nil {
			t.Errorf("%s: the options are valid", url)
		}
	}
}

// FuzzAddress holds that no URL makes the parser fail otherwise than with an error, which has no password in it.
func FuzzAddress(f *testing.F) {
	f.Add("redis://u:p@a,b:7,[::1]/3?sentinel=hubs&wait-replicas=1")
	f.Add("unix:///run/redis.sock?db=1&prefix=shop")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAddress(text)
		if err == nil && (len(a.hosts) == 0 || !validPrefix(a.prefix)) {
			t.Fatalf("%q is read as %+v", text, a)
		}
	})
}

// FuzzChunk holds the same for the records of a chunk.
func FuzzChunk(f *testing.F) {
	f.Add("", uint8(1))
	f.Add("\x05hello", uint8(3))
	f.Fuzz(func(t *testing.T, text string, events uint8) {
		log := &Log{}
		p := page{log: log, next: 3, upto: 1 << 20, left: 1 << 20}
		p.add(5, 5+uint64(events), text)
		for i, r := range p.records {
			if r.Position != 3+uint64(i) {
				t.Fatalf("record %d has position %d", i, r.Position)
			}
		}
	})
}
