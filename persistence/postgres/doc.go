// Package postgres is the log in a schema of a PostgreSQL database, shared by any number of hubs.
//
// # What is in the schema
//
// "events" has one row for each event, with its update in columns: position, time, id, topics, private, type, retry and
// data. The frame that goes over the wire is encoded again when a row is read, by the encoder that made it, and is the same
// byte for byte. "head" is one row: where the history ends and begins. "setbacks" are the events that are dated before
// their predecessors, "writers" the last batch of each hub, "boards", "board_entries" and "board_leases" what hubs tell each
// other, "store" the key of the ids, "hubd_migrations" the versions of the schema. The view "history" is for people: it shows
// what is retained, exactly. Everything else may change with a later version; nobody but a hub writes to any of it.
//
// An append is one call of the function "append", which holds the head, inserts the rows from arrays, applies the retention
// and notifies. It is one statement, and so one transaction and one round trip. It names the position at which it begins,
// because the ids that the hub makes follow from positions; where another hub came first, the batch takes two round
// trips, the first of which takes hold of the head, and so does the next until the hub appends alone again.
//
// # Order
//
// Positions are not a sequence of PostgreSQL: numbers of a sequence are given out before the commit, so a transaction that
// commits late leaves a gap that readers have passed over by then. Here a position is given out by the row of "head", which
// is locked from then on until the commit. The next append waits for that, and only then learns its positions. So at
// every moment the committed events are a prefix without gaps of all events, whoever reads them: a transaction that
// commits late makes others late, and is never skipped. A transaction that is rolled back gives its positions back.
//
// # Doubt
//
// A connection that breaks during an append leaves it open whether the batch is stored. Each batch has a number in its
// hub's sequence, which is stored with it, so Append asks again and the server stores nothing twice. Where the time is over
// before the server answers, the batch is given up: it may be stored or not. The next append takes the number after it
// first, from when on the server refuses the old batch however late it arrives.
//
// # Promises
//
//   - Durability: an update that was acknowledged survives the end of the hub and a crash of the server, with
//     synchronous_commit and fsync on, which are PostgreSQL's defaults. Caveats says where they are not.
//   - Failover: with synchronous replication (synchronous_standby_names set, synchronous_commit on or remote_apply) nothing
//     acknowledged is lost. With asynchronous replication the newest updates can be; hubs that have seen them fill the
//     lost positions, so no position is used for two updates unless a hub that had not seen them appends before. The URL may
//     name several hosts; the one that takes writes is used.
//   - Order: one order for all hubs, without gaps.
//   - Time: an append, a read and a look-up end within Options.Timeout. Where the server does not answer, the error wraps
//     persistence.ErrUnavailable. A hub that holds the head and is not heard of any more is thrown out by the server after
//     the same time (idle_in_transaction_session_timeout).
//
// # Retention
//
// The start of the history is moved by the append that makes it necessary, in the same transaction. Rows before it do not
// exist for readers nor for the view. They are deleted by later appends, when readers have heard, by the few hundred and no
// more than a few thousand at a time. That is range deletes and no partitions: partitions would be dropped under a lock that
// keeps readers out, and be cut by count, age and bytes at once. The space is used again after a vacuum, so the tables set
// autovacuum to come early and without pauses: events after 20,000 deleted rows and a twentieth of the table. It must be on
// in the server (autovacuum = on, the default), and long transactions on other tables of the same database hold it up.
//
// # Goroutines and connections
//
// The follower's goroutine runs from Open to Close; Close joins it. One connection appends, one listens, and up to
// Options.Connections more serve readers and boards; they are opened when they are needed. Connections that were given up
// are closed by goroutines of pgx, which Close waits for.
//
// Other hubs' events are fetched in pages when a notification comes; its payload is only the head, so its limit never
// matters. A notification that was missed costs two seconds at most: then the follower looks by itself, which also shows
// whether the server still answers.
//
// # Caveats
//
// PgBouncer and its like work in session mode. In transaction mode LISTEN, prepared statements and the session's settings
// are lost between statements. PostgreSQL commits transactions that notify one after the other within a server, so hubs with
// schemas of their own on one server wait for each other's commits. The database's encoding must be UTF8. The role needs
// CREATE on the database, or an empty schema that it owns; ALTER ROLE … SET applies to hubs as to any client. PostgreSQL 12
// is the oldest that has all that is used; tests run with 15.
package postgres
