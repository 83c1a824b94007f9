package handover

import (
	"fmt"
	"os"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxText bounds each text of an Identity, in bytes.
const maxText = 256

// Identity says which process this is, for the other one and for people.
type Identity struct {
	// Version is the program's version.
	Version string `json:"version"`
	// PID is the process id as the process itself sees it; in another container it means another process.
	PID int `json:"pid"`
	// Host is the host name, which in a container is usually the container's id.
	Host string `json:"host"`
	// Network is the process's network namespace, or empty if it is not known; see SameNetwork.
	Network string `json:"network,omitempty"`
	// Since is when the holder took the store, and for a newcomer when it began to wait.
	Since time.Time `json:"since"`
}

// Self returns the identity of this process.
func Self(version string, since time.Time) Identity {
	host, _ := os.Hostname()                       // an empty host is an unknown one
	network, _ := os.Readlink("/proc/self/ns/net") // "net:[4026531840]", namespaces(7)
	return Identity{Version: version, PID: os.Getpid(), Host: host, Network: network, Since: since}
}

// SameNetwork reports whether both processes are known to be in one network namespace. Sockets can be
// moved between namespaces, but they stop working when the one they were made in loses its interfaces,
// as that of a container does when it ends.
func (i Identity) SameNetwork(other Identity) bool {
	return i.Network != "" && i.Network == other.Network
}

// String names the process for a person.
func (i Identity) String() string {
	return fmt.Sprintf("process %d on %q, version %q, since %s", i.PID, i.Host, i.Version, i.Since.UTC().Format(time.RFC3339))
}

// check refuses what would not be fit to be shown.
func (i Identity) check() error {
	for name, text := range map[string]string{"version": i.Version, "host": i.Host, "network": i.Network} {
		if !presentable(text) {
			return fmt.Errorf("the %s is over %d bytes or not printable", name, maxText)
		}
	}
	if i.PID < 0 {
		return fmt.Errorf("the process id is %d", i.PID)
	}
	return nil
}

func presentable(text string) bool {
	if len(text) > maxText || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
