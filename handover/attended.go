package handover

import "context"

// Attended reports whether a hub listens beside the store at the path: it holds the store, or has released it to a newcomer and takes
// it back should that one fail. In between the store is nobody's for a moment, and a third hub that opened it then would leave the
// holder without a store and itself without the sockets. Without handovers nobody listens.
func Attended(ctx context.Context, path string) bool {
	if supported() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, defaultAnswer)
	defer cancel()
	conn, err := dialSocket(ctx, socketPath(path))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
