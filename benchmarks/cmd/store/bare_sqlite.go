package main

import (
	"context"

	"github.com/ncruces/go-sqlite3"
)

type bareSQLite struct {
	conn               *sqlite3.Conn
	begin, put, commit *sqlite3.Stmt
}

// openBareSQLite makes a table of keys and values. The settings are those of the store: a log that is synced with each
// commit, and copied into the database when it has 16 MiB.
func openBareSQLite(path string) (_ writer, err error) {
	conn, err := sqlite3.Open(path)
	if err != nil {
		return nil, err
	}
	err = conn.Exec(`
		PRAGMA journal_mode = WAL;
		PRAGMA synchronous = FULL;
		PRAGMA cache_size = -16000;
		PRAGMA wal_autocheckpoint = 4096;
		CREATE TABLE bare (key TEXT PRIMARY KEY, data BLOB NOT NULL)`)
	if err != nil {
		return nil, err
	}
	b := &bareSQLite{conn: conn}
	for _, s := range []struct {
		to  **sqlite3.Stmt
		sql string
	}{
		{&b.begin, `BEGIN IMMEDIATE`},
		{&b.put, `INSERT INTO bare VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET data = excluded.data`},
		{&b.commit, `COMMIT`},
	} {
		if *s.to, _, err = conn.PrepareFlags(s.sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bareSQLite) write(_ context.Context, lists [][]value) error {
	if err := b.begin.Exec(); err != nil {
		return err
	}
	for _, list := range lists {
		for _, v := range list {
			if err := b.put.BindText(1, v.key); err != nil {
				return err
			}
			if err := b.put.BindBlob(2, v.data); err != nil {
				return err
			}
			if err := b.put.Exec(); err != nil {
				return err
			}
		}
	}
	return b.commit.Exec()
}

func (b *bareSQLite) close() error {
	for _, s := range []*sqlite3.Stmt{b.begin, b.put, b.commit} {
		if err := s.Close(); err != nil {
			return err
		}
	}
	return b.conn.Close()
}

// sqliteVersion is that of the library within.
func sqliteVersion() (version string, err error) {
	conn, err := sqlite3.Open(":memory:")
	if err != nil {
		return "", err
	}
	defer func() { err = closing(conn, err) }()
	s, _, err := conn.Prepare(`SELECT sqlite_version()`)
	if err != nil {
		return "", err
	}
	defer func() { err = closing(s, err) }()
	for s.Step() {
		version = s.ColumnText(0)
	}
	return version, s.Err()
}

func closing(c interface{ Close() error }, err error) error {
	if closed := c.Close(); err == nil {
		return closed
	}
	return err
}
