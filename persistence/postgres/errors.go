package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"hubd/persistence"
)

// Codes of PostgreSQL ("PostgreSQL Error Codes" in its manual) that say that it cannot be reached for now.
var unavailable = map[string]bool{
	"25006": true, // read_only_sql_transaction: a server that has become a standby
	"25P03": true, // idle_in_transaction_session_timeout
	"40001": true, // serialization_failure
	"40P01": true, // deadlock_detected
	"53300": true, // too_many_connections
	"55P03": true, // lock_not_available
	"57014": true, // query_canceled: the statement took too long, or waited so long for another's
	"57P01": true, // admin_shutdown
	"57P02": true, // crash_shutdown
	"57P03": true, // cannot_connect_now: it starts or recovers
	"57P05": true, // idle_session_timeout
}

// classify wraps an error of the driver in what it means. A refusal by the server stays as it is.
func classify(err error) error {
	if err == nil || errors.Is(err, persistence.ErrUnavailable) {
		return err
	}
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
	}
	switch {
	case unavailable[refusal.Code] || refusal.Code[:2] == "08":
		return fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
	case refusal.Code[:2] == "XX":
		return fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	return err
}

// answered tells that the server refused a statement, and that the session goes on: nothing of it was done.
func answered(err error) bool {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return false
	}
	return refusal.Severity == "ERROR" || refusal.SeverityUnlocalized == "ERROR"
}

// ended tells that the caller's time is over.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if err == nil {
		err = ctx.Err()
	}
	return fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
}
