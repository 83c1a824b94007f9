package auth

// Role is what a request wants to be; it picks the key that its token is verified with.
type Role uint8

const (
	// RolePublisher is the role of requests that publish.
	RolePublisher Role = iota
	// RoleSubscriber is the role of requests that subscribe or ask for subscriptions.
	RoleSubscriber

	roles = iota
)

// String returns "publisher" or "subscriber".
func (r Role) String() string {
	switch r {
	case RolePublisher:
		return "publisher"
	case RoleSubscriber:
		return "subscriber"
	}
	return "unknown"
}
