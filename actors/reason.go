package actors

// Reason says why a stream ended; it is a metric label and a field of the log.
type Reason uint8

const (
	// ReasonClient is a client that closed its connection or vanished.
	ReasonClient Reason = iota
	// ReasonWriteError is a connection that failed while being written to.
	ReasonWriteError
	// ReasonStalled is a client that took nothing for the dispatch timeout.
	ReasonStalled
	// ReasonLifetime is a stream that reached the longest life configured.
	ReasonLifetime
	// ReasonExpired is a token that reached its expiration time.
	ReasonExpired
	// ReasonRevoked is a token, or a topic that the stream follows, that was revoked.
	ReasonRevoked
	// ReasonBehind is a cursor that fell out of the retained history while it was being read.
	ReasonBehind
	// ReasonStore is a history that could not be read.
	ReasonStore
	// ReasonShutdown is a hub that stops.
	ReasonShutdown
	// ReasonHandover is a stream that goes on at the hub that took this one's place; its client sees nothing.
	ReasonHandover
	// ReasonFault is a defect: the subscriber's actor panicked.
	ReasonFault
	reasons
)

// Reasons lists every reason, for metrics that show those not seen yet.
func Reasons() []Reason {
	all := make([]Reason, reasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// String returns the label's value.
func (r Reason) String() string {
	return [...]string{
		"client", "write_error", "stalled", "lifetime", "token_expired", "revoked",
		"behind_history", "store_error", "shutdown", "handover", "fault", "unknown",
	}[min(r, reasons)]
}
