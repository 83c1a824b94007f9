package jetstream

import "context"

// Refresh implements persistence.Shared.
func (l *Log) Refresh(ctx context.Context) error { return l.follower.Refresh(ctx) }
