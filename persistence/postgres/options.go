package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hubd/persistence"
)

// Defaults of Options.
const (
	DefaultTimeout     = 5 * time.Second
	DefaultSchema      = "hubd"
	DefaultConnections = 8
)

// schemaParameter is the parameter of the URL that is this package's own.
const schemaParameter = "schema"

// schemaMost keeps a schema's name, and that of the channel made of it, within what PostgreSQL takes for one.
const schemaMost = 48

// Options are those of Open. Only URL is required.
type Options struct {
	// URL is that of the database, as pgx and libpq take it, and the schema: postgres://user@host/database?schema=hubd.
	URL string
	// Retention bounds the history. It is applied by each append of this node.
	Retention persistence.Retention
	// Ring bounds the newest events that are read without going to the database.
	Ring persistence.RingOptions
	// Now is the clock that dates events; nil is time.Now.
	Now func() time.Time
	// Timeout bounds every call that goes to the database; 0 is DefaultTimeout.
	Timeout time.Duration
	// Connections is how many connections at most serve readers and boards; 0 is DefaultConnections. There are two more:
	// one appends, one listens.
	Connections int
	// Contacted is told when the database stops to answer and when it answers again; it may be nil.
	Contacted persistence.Contacted
	// Lost is told that the database lost the events after one position up to another; it may be nil.
	Lost func(after, upto uint64)

	// await is the longest that a node listens before it looks for itself; 0 is awaitTime.
	await time.Duration
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.await == 0 {
		o.await = awaitTime
	}
	if o.Connections == 0 {
		o.Connections = DefaultConnections
	}
	return o
}

// Validate reports an option that makes no sense. Its errors have no password of the URL in them.
func (o Options) Validate() error {
	if o.Timeout < 0 || o.Timeout > 0 && o.Timeout < time.Millisecond {
		return fmt.Errorf("the timeout %s is too short", o.Timeout)
	}
	if o.Connections < 0 {
		return errors.New("the number of connections is negative")
	}
	if err := o.Retention.Validate(); err != nil {
		return err
	}
	if err := o.Ring.Validate(); err != nil {
		return err
	}
	_, err := parseTarget(o.URL)
	return err
}

// target is what a URL says.
type target struct {
	config *pgx.ConnConfig
	schema string
}

// parseTarget reads a URL.
func parseTarget(text string) (target, error) {
	u, err := url.Parse(text)
	var broken *url.Error
	switch {
	case errors.As(err, &broken):
		// url.Parse repeats the whole URL, and what it quotes may be a part of the password.
		return target{}, errors.New("the URL cannot be read; characters of the password such as # / ? @ are written as %23 and so on")
	case err != nil:
		return target{}, errors.New("the URL cannot be read")
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		return target{}, errors.New("the URL does not begin with postgres://")
	}
	schema := DefaultSchema
	query := u.Query()
	if query.Has(schemaParameter) {
		schema = query.Get(schemaParameter)
		query.Del(schemaParameter)
		u.RawQuery = query.Encode()
	}
	switch {
	case schema == "" || len(schema) > schemaMost || strings.ContainsRune(schema, 0):
		return target{}, fmt.Errorf("the name of the schema has %d bytes, which must be 1 to %d", len(schema), schemaMost)
	case strings.HasPrefix(schema, "pg_"):
		return target{}, fmt.Errorf("the schema %s is PostgreSQL's own", schema)
	}
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return target{}, unreadable(err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "hubd"
	}
	config.RuntimeParams["client_encoding"] = "UTF8"
	if config.ValidateConnect == nil {
		// Of several hosts, the one that takes writes: after a failover another than before.
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return target{config: config, schema: schema}, nil
}

// unreadable returns why pgx cannot read a URL, without the URL.
func unreadable(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		var broken *url.Error
		if !errors.As(inner, &broken) {
			return fmt.Errorf("the URL cannot be used: %w", inner)
		}
	}
	return errors.New("the URL cannot be used: it has a parameter that PostgreSQL's clients do not know, or a value that is none")
}

// describe names the place without its password.
func (t target) describe() string {
	network, address := pgconn.NetworkAddress(t.config.Host, t.config.Port)
	if network == "unix" {
		address = t.config.Host
	}
	return fmt.Sprintf("postgres store %s/%s, schema %s", address, t.config.Database, t.schema)
}

// quoted returns the schema's name as it stands in statements.
func (t target) quoted() string { return pgx.Identifier{t.schema}.Sanitize() }

// channel returns the name of the channel that notifications go through.
func (t target) channel() string { return "hubd:" + t.schema }

// within bounds a call.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
