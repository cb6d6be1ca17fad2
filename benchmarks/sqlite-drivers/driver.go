package main

import "fmt"

// driver is a connection to a file, with the statements that the jobs need, prepared.
type driver interface {
	exec(sql string) error
	begin() error // BEGIN IMMEDIATE
	commit() error
	// touch is the first statement of a save: it checks the epoch, sets when the room was saved, and returns the row's id, 0 if
	// the room has another epoch.
	touch(kind, name string, epoch, now int64) (id int64, err error)
	put(room int64, part string, data []byte) error
	get(room int64, part string) ([]byte, error)
	append(room, seq int64, data []byte) error
	trim(room, before int64) error
	close() error
}

const (
	sqlBegin  = `BEGIN IMMEDIATE`
	sqlCommit = `COMMIT`
	sqlTouch  = `UPDATE rooms SET updated = ?4 WHERE kind = ?1 AND name = ?2 AND epoch = ?3 RETURNING id`
	sqlPut    = `INSERT INTO parts (room, name, data) VALUES (?1, ?2, ?3) ON CONFLICT (room, name) DO UPDATE SET data = excluded.data`
	sqlAppend = `INSERT INTO logs (room, log, seq, data) VALUES (?1, 'pushes', ?2, ?3)`
	sqlTrim   = `DELETE FROM logs WHERE room = ?1 AND log = 'pushes' AND seq < ?2`
	sqlGet    = `SELECT data FROM parts WHERE room = ?1 AND name = ?2`
)

// settings are what a store would use: every commit is synced.
const settings = `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000; PRAGMA wal_autocheckpoint = 4000`

func schema(layout string) string {
	parts := `CREATE TABLE IF NOT EXISTS parts (room INTEGER NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL, %s;
		CREATE TABLE IF NOT EXISTS logs (room INTEGER NOT NULL, log TEXT NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL, %s`
	if layout == "rowid" {
		parts = fmt.Sprintf(parts, `UNIQUE (room, name))`, `UNIQUE (room, log, seq))`)
	} else {
		parts = fmt.Sprintf(parts, `PRIMARY KEY (room, name)) WITHOUT ROWID`, `PRIMARY KEY (room, log, seq)) WITHOUT ROWID`)
	}
	return `CREATE TABLE IF NOT EXISTS rooms (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL,
		owner INTEGER NOT NULL, wake INTEGER, linger INTEGER NOT NULL, updated INTEGER, UNIQUE (kind, name));
	CREATE INDEX IF NOT EXISTS rooms_wake ON rooms (owner, wake) WHERE wake IS NOT NULL;
	CREATE INDEX IF NOT EXISTS rooms_linger ON rooms (owner, linger) WHERE owner <> 0 AND linger >= 0;
	` + parts
}

func open(who, path, layout string) (driver, error) {
	switch who {
	case "ncruces":
		return openNcruces(path, layout)
	case "modernc":
		return openModernc(path, layout)
	case "modernc-sql":
		return openModerncSQL(path, layout)
	}
	return nil, fmt.Errorf("%q is no contender", who)
}
