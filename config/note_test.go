package config

import (
	"strings"
	"testing"
)

// Threats that the operator alone can take away are named at the start: a key that every user of the machine can
// read, and an admin listener that others can reach.
func TestExposuresAreNoted(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args, environ []string
		notes         []string
	}{
		"keys in the environment":   {nil, keyed(), nil},
		"a key on the command line": {[]string{"--publisher-key=a key"}, keyed()[1:], []string{"publisher-key: every user of this machine can read the command line; use publisher-key-file or HUBD_PUBLISHER_KEY"}},
		"both on the command line":  {[]string{"--publisher-key=a", "--subscriber-key=b"}, nil, []string{"publisher-key: every user", "subscriber-key: every user"}},
		"admin for everyone":        {[]string{"--admin-listen=:3001"}, keyed(), []string{"admin-listen: :3001 can be reached from other machines"}},
		"admin by name":             {nil, keyed("HUBD_ADMIN_LISTEN=localhost:3001"), nil},
		"no admin":                  {nil, keyed("HUBD_ADMIN_LISTEN="), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load(t, test.args, test.environ)
			if len(c.Notes) != len(test.notes) {
				t.Fatalf("notes are %q, want %q", c.Notes, test.notes)
			}
			for i, note := range test.notes {
				if !strings.HasPrefix(c.Notes[i], note) {
					t.Errorf("note is %q, want %q", c.Notes[i], note)
				}
			}
		})
	}
}
