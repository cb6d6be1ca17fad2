// Package postgres is a [store.Store] in a Postgres database, version 14 or newer, which any number of processes share.
//
//	s, err := postgres.Open(ctx, "postgres://user:password@host:5432/database", nil)
//
// It makes its tables itself, in a schema of its own; several processes may do so at once. It may import store, and pgx.
//
// # What is durable
//
// What was acknowledged is on disk: sessions set synchronous_commit on where the server's default is weaker. Settings that
// only the server can change (fsync, full_page_writes) are reported loudly at [Open] if they are weak. With a standby,
// whether it is on that one's disk too is decided by synchronous_standby_names.
//
// A call that fails for another reason than those of package store may have been carried out or not: the connection was
// lost, the server was shut down, its disk is full, a time was over. It is right to call again.
//
// # One round trip
//
// Each call is one message to the server and one transaction. Save takes all batches as arrays, to one function of the
// schema (migrations/0001.sql):
//
//	Save ─ check ─ sort by key ─ arrays ─▶ save(…) ─┬─ update of rooms: checks epoch and number, locks, state
//	                                               ├─ parts, logs: deletes, trims, puts, appends
//	                                               └─ what failed, and the earliest wake of a room left to nobody ─▶ teller
//
// # Invariants
//
//   - A room is written only by transactions that hold the lock of its row, taken with the check of its epoch.
//   - Rows of several rooms are locked in the order of their keys, so calls never deadlock.
//   - The owner of a room is a row of owners, or nobody. Rows of owners that left stay until no room refers to them, so that
//     Leave costs the same with however many rooms.
//   - Epochs come from one sequence, which only next_epoch moves: above what it has given, above the room's last, not below
//     the clock.
//   - Leases are judged by clock_timestamp() of the database alone.
//   - Every way to read rooms goes by an index: sessions switch the other ways off.
//
// # Changes
//
// NOTIFY serializes all commits of the server that use it. So it is used where owners change, and otherwise only by
// transactions of their own that wait for no disk: a process gathers the rooms that it leaves to nobody, and tells of the
// earliest wake, at once if that is near and at most once a second if not. Who listens passes on what is earlier than Due
// said.
//
// # Connections
//
// Up to Options.MaxConns for calls, one for leases, so that a store that is busy saving goes on renewing them, and one for each
// Notify. Behind a pooler they need sessions of their own (session mode): settings are made for the session, statements are
// prepared, and Notify listens.
//
// # Backups
//
// pg_dump and pg_restore, copies of the data directory, and point-in-time recovery all work, while the store is in use. Stop all
// processes before a backup is put back. Epochs go on above all that were given before, provided that the clock is right.
package postgres
