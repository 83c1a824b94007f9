package config

import "fmt"

// exposures returns what others could see or reach that should be the operator's alone. onCommandLine tells
// whether a setting was given there.
func (c *Config) exposures(onCommandLine func(setting string) bool) []string {
	var notes []string
	for _, key := range []struct {
		name   string
		secret Secret
	}{{"publisher-key", c.Publisher.Key}, {"subscriber-key", c.Subscriber.Key}} {
		if !key.secret.Absent() && onCommandLine(key.name) {
			notes = append(notes, fmt.Sprintf("%s: every user of this machine can read the command line; use %s-file or %s", key.name, key.name, envName(key.name)))
		}
	}
	if c.AdminListen != "" && !isLoopback(c.AdminListen) {
		notes = append(notes, fmt.Sprintf("admin-listen: %s can be reached from other machines, and takes no token; see to it that only yours can", c.AdminListen))
	}
	return notes
}
