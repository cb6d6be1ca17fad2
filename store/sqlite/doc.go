// Package sqlite is a store in one file, for servers of one machine: [Open] is all there is to set up. It is built on SQLite,
// without cgo, and several processes may have the file open at once.
//
// It may import store, and is the only package that imports an SQLite driver.
//
// # Writing
//
// One goroutine writes (writer). Calls that come while it commits are carried out together in the next transaction, so that
// under load many share one sync, and a lone call waits for nobody.
//
//	Save, Acquire, Renew, …  ─▶ queue ─▶ one transaction ─▶ sync ─▶ answers
//	Load, List, Due, Owners  ─▶ connections that only read, each in one state of the database
//
// SQLite runs in WAL mode: a commit is appended to the write-ahead log (path + "-wal") and synced there, with synchronous=FULL
// every time. When the log has 16 MiB it is copied into the database beside the work that goes on, and begins anew; at 64 MiB
// the writer waits for that.
//
// # Several processes
//
// Writers take turns, so that one with much to do does not keep others from writing (locks). A call waits for other
// processes as long as its context lasts. The file has to be on a disk of the machine: network file systems do not keep what
// SQLite relies on, nor does anything say which of two machines is alive.
//
// # Owners and time
//
// On Linux leases go by the time since boot, which no change of the wall clock moves, and end with the boot. Beyond that
// every owner holds a lock on a byte of the file path + "-owners", which the kernel drops when its process ends, however it
// ends. So a server that is started again after a crash has its rooms at once and does not wait for its former self's
// lease. A process that hangs keeps its lock, and its lease ends by time.
//
// On other systems leases go by the wall clock and there are no such locks. That costs: setting the clock forward ends
// leases early (their owners are fenced, nothing is lost), setting it back prolongs them, a server that is started again
// waits for the lease of the one before, and an owner that joined with ttl 0 has its rooms until it leaves, even if its
// process is gone: use a ttl there.
//
// # Invariants
//
//   - A call is answered after the transaction with its work has been committed, and with Options.Relaxed unset synced. An
//     error that has not one of the meanings package store gives may come after that as well.
//   - A batch is written as a whole or not at all. What a batch cannot do spoils no other of its transaction: those are
//     carried out again without it.
//   - The last epoch is one row, in the database. A new one is above it, and not below the wall clock in microseconds.
//   - An owner's lock is taken before its row is there and given back after the row has gone.
//   - What is handed to a call is not used any more when the call has returned.
//   - A connection that met an error after which nothing is known of it is closed and opened again: a disk that was full, or
//     failed, is no reason to start the process anew.
//
// # Files and backups
//
// All that is kept is in the file, once it was closed by all that had it open, and in the file with the -wal beside it
// until then. The -shm and -owners have nothing that is worth keeping. To copy a file that is in use is wrong: what is
// copied is of several moments. [Store.Backup] makes a copy while the store is in use, as does `sqlite3 PATH "VACUUM INTO
// 'COPY'"`. To restore one, stop all processes, delete the file with its -wal and -shm, and put the copy in its place.
//
// Space of what was deleted is used again, and given back to the disk by `sqlite3 PATH VACUUM`, also while the store is in
// use: calls that write wait for it. A backup is as compact as that.
//
// The schema has a version (migrations). A newer program brings an older file up to date when it opens it; an older program
// refuses a newer file. Programs of both must not have it open at once.
package sqlite
