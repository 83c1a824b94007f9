package postgres

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"hubd/persistence"
)

// migrations are the steps that make the schema, from 1 on. One that was released is never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// version is the schema's after all migrations.
const version = 1

// migrate brings the schema up to version, and returns the key of the ids. Of several hubs that do it at once, one does
// and the others wait for it.
func migrate(ctx context.Context, s *session, t target) (key []byte, err error) {
	tx, err := s.Begin(ctx)
	if err != nil {
		return nil, classify(err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // without effect after the commit
	// Only for those who migrate this schema: the lock is named after it.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", t.channel()); err != nil {
		return nil, classify(fmt.Errorf("waiting for other hubs to migrate: %w", err))
	}
	found, err := inspect(ctx, tx, t)
	if err != nil {
		return nil, err
	}
	if found > version {
		return nil, fmt.Errorf("the schema has version %d, made by a newer hub; this one knows version %d", found, version)
	}
	for step := found + 1; step <= version; step++ {
		if err := apply(ctx, tx, t, step); err != nil {
			return nil, classify(fmt.Errorf("migrating to version %d: %w", step, err))
		}
	}
	if err := tx.QueryRow(ctx, "SELECT id_key FROM "+t.quoted()+".store").Scan(&key); err != nil {
		return nil, classify(fmt.Errorf("reading the store's key: %w", err))
	}
	return key, classify(tx.Commit(ctx))
}

// inspect returns the version of the schema, 0 if it is missing or empty.
func inspect(ctx context.Context, tx pgx.Tx, t target) (int, error) {
	var encoding string
	var exists, ours bool
	var relations int
	err := tx.QueryRow(ctx, `SELECT current_setting('server_encoding'),
		EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
		EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = $1 AND relname = 'hubd_migrations'),
		(SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = $1)`,
		t.schema).Scan(&encoding, &exists, &ours, &relations)
	if err != nil {
		return 0, classify(fmt.Errorf("looking for the schema: %w", err))
	}
	if encoding != "UTF8" {
		return 0, fmt.Errorf("the database has the encoding %s and cannot hold every update; create one with UTF8", encoding)
	}
	if !ours {
		if relations > 0 {
			return 0, fmt.Errorf("%w: the schema has tables of something else; choose another with ?schema=NAME", persistence.ErrNotHubStore)
		}
		return 0, classify(create(ctx, tx, t, exists))
	}
	var found int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM "+t.quoted()+".hubd_migrations").Scan(&found); err != nil {
		return 0, classify(fmt.Errorf("reading the schema's version: %w", err))
	}
	return found, nil
}

// create makes the schema, unless it is there and empty, and the table of versions.
func create(ctx context.Context, tx pgx.Tx, t target, exists bool) error {
	if !exists {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+t.quoted()); err != nil {
			return fmt.Errorf("creating the schema: %w", err)
		}
	}
	_, err := tx.Exec(ctx, "CREATE TABLE "+t.quoted()+".hubd_migrations (version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())")
	if err != nil {
		return fmt.Errorf("creating the table of versions: %w", err)
	}
	return nil
}

// apply takes one step.
func apply(ctx context.Context, tx pgx.Tx, t target, step int) error {
	text, err := migrations.ReadFile("migrations/" + strconv.Itoa(step) + ".sql")
	if err != nil {
		return err
	}
	channel := "'" + strings.ReplaceAll(t.channel(), "'", "''") + "'"
	statements := strings.NewReplacer("{schema}", t.quoted(), "{channel}", channel).Replace(string(text))
	if err := tx.Conn().PgConn().Exec(ctx, statements).Close(); err != nil {
		return err
	}
	if step == 1 {
		key := make([]byte, persistence.IDKeyLen)
		if _, err := rand.Read(key); err != nil {
			return fmt.Errorf("making the id key: %w", err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+t.quoted()+".store (id_key) VALUES ($1)", key); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "INSERT INTO "+t.quoted()+".hubd_migrations (version) VALUES ($1)", step)
	return err
}

// settings are those of the server that the hub's promises hang on.
type settings struct {
	synchronous, fsync, fullPages, standbyNames string
	standbys                                    int
}

func readSettings(ctx context.Context, s *session) (settings, error) {
	var x settings
	err := s.QueryRow(ctx, `SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'),
		current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication)`).
		Scan(&x.synchronous, &x.fsync, &x.fullPages, &x.standbyNames, &x.standbys)
	if err != nil {
		return x, classify(fmt.Errorf("reading the server's settings: %w", err))
	}
	return x, nil
}

// caveats returns what the hub cannot promise with these settings.
func (x settings) caveats() []string {
	var c []string
	if x.synchronous == "off" {
		c = append(c, "synchronous_commit is off: updates that were acknowledged are lost if the server crashes; set it to on, or for the hub's role alone: ALTER ROLE … SET synchronous_commit = on")
	}
	if x.fsync == "off" {
		c = append(c, "fsync is off: a crash of the server's machine can lose or corrupt the history; set it to on")
	}
	if x.fullPages == "off" {
		c = append(c, "full_page_writes is off: a crash of the server's machine can corrupt the history unless the file system writes pages whole; set it to on")
	}
	if x.standbys > 0 && (x.standbyNames == "" || x.synchronous == "local" || x.synchronous == "off") {
		c = append(c, "replication is asynchronous: the newest updates that were acknowledged are lost if a standby takes over; set synchronous_standby_names, and synchronous_commit to on")
	}
	return c
}
