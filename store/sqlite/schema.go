package sqlite

import (
	"errors"
	"fmt"
	"time"
)

// applicationID marks our files: "sock".
const applicationID = 0x736f636b

// migrations make the schema of version n + 1 of that of version n, with nothing for 0. One that was released is never
// changed.
//
// Parts and records are tables with a rowid: in a table without, SQLite reads the whole of large values to find its way, and
// appends to many logs touch as many pages. Rooms that nobody has have owner 0, times are in µs since 1970, lengths in ns.
//
// rooms_owner finds the rooms of an owner, by their linger; rooms_wake those to be woken, by owner. A room that sleeps
// without an alarm is in neither.
var migrations = []string{`
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('schema', 1), ('epoch', 0);

CREATE TABLE owners (
	number    INTEGER PRIMARY KEY AUTOINCREMENT,
	id        TEXT NOT NULL UNIQUE,
	addr      TEXT NOT NULL,
	props     TEXT NOT NULL,    -- JSON
	ttl       INTEGER NOT NULL,
	joined    INTEGER NOT NULL,
	boot      TEXT NOT NULL,    -- whose clock ends is of, empty: the wall clock
	ends      INTEGER,          -- by that clock, in ns
	ends_wall INTEGER,          -- by the wall clock, as it was then
	lock      INTEGER,          -- where its lock is, if it has one
	dead      INTEGER           -- when it was found out that it ended before its lease
);

CREATE TABLE rooms (
	id      INTEGER PRIMARY KEY,
	kind    TEXT NOT NULL,
	name    TEXT NOT NULL,
	epoch   INTEGER NOT NULL,
	batch   INTEGER NOT NULL,   -- the number of the last batch under this epoch that had one
	owner   INTEGER NOT NULL,
	wake    INTEGER,
	linger  INTEGER NOT NULL,
	updated INTEGER,
	UNIQUE (kind, name)
);
CREATE INDEX rooms_owner ON rooms (owner, linger) WHERE owner <> 0;
CREATE INDEX rooms_wake ON rooms (owner, wake) WHERE wake IS NOT NULL;

CREATE TABLE parts (
	room INTEGER NOT NULL,
	name TEXT NOT NULL,
	data BLOB NOT NULL,
	UNIQUE (room, name)
);

CREATE TABLE logs (
	room INTEGER NOT NULL,
	log  TEXT NOT NULL,
	seq  INTEGER NOT NULL,
	data BLOB NOT NULL,
	UNIQUE (room, log, seq)
);
`}

// patience is how long Open waits for another process that has the file locked.
const patience = 10 * time.Second

// retry calls f until it does not fail because the file is locked, for as long as Open may wait.
func retry(f func() error) error {
	deadline := time.Now().Add(patience)
	for count := 0; ; count++ {
		err := f()
		if !isBusy(err) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause(count))
	}
}

// setUp makes the schema of a new file, or brings that of an old one up to date, and turns on the write-ahead log.
func (c *conn) setUp(migrations []string) error {
	if err := retry(func() error { return c.migrate(migrations) }); err != nil {
		return err
	}
	return retry(func() error {
		s := c.on(qJournalWAL)
		mode := ""
		for s.next() {
			mode = s.colText(0)
		}
		if err := s.done(); err != nil {
			return err
		}
		if mode != "wal" {
			return fmt.Errorf("the file system cannot have a write-ahead log, which needs shared memory: the journal is %q", mode)
		}
		return nil
	})
}

// migrate does not touch a file whose schema is what it should be.
func (c *conn) migrate(migrations []string) (err error) {
	version, err := c.version(len(migrations))
	if err != nil || version == len(migrations) {
		return err
	}
	// A new file is set up before it has a write-ahead log, so that its header says from the beginning whose it is.
	if err := c.db.Exec(`BEGIN EXCLUSIVE`); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			c.rollback()
		}
	}()
	if version, err = c.version(len(migrations)); err != nil { // another process may have done it
		return err
	}
	for n := version; n < len(migrations); n++ {
		if err := c.db.Exec(migrations[n]); err != nil {
			return fmt.Errorf("making schema %d: %w", n+1, err)
		}
	}
	if err := c.db.Exec(fmt.Sprintf(`PRAGMA application_id = %d; UPDATE meta SET value = %d WHERE key = 'schema'`, applicationID, len(migrations))); err != nil {
		return err
	}
	return c.db.Exec(`COMMIT`)
}

// version is that of the schema, 0 if the file is empty.
func (c *conn) version(known int) (int, error) {
	var tables int64
	s := c.on(qTables)
	for s.next() {
		tables = s.colInt(0)
	}
	if err := s.done(); err != nil || tables == 0 {
		return 0, err
	}
	version := never
	s = c.on(qSchema)
	for s.next() {
		version = s.colInt(0)
	}
	if err := s.done(); err != nil {
		return 0, err
	}
	switch {
	case version == never:
		return 0, errors.New("it has no schema version: it is not whole, put a backup in its place")
	case version > int64(known):
		return 0, fmt.Errorf("it was written by a newer version of this program: its schema is %d, this one knows them up to %d; update the program", version, known)
	}
	return int(version), nil
}

var (
	qJournalWAL = newQuery(`PRAGMA journal_mode = WAL`)
	qTables     = newQuery(`SELECT count(*) FROM sqlite_schema`)
	qSchema     = newQuery(`SELECT value FROM meta WHERE key = 'schema'`)
)
