package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Backup writes a copy of the database, as it is at one moment, to a file that is not there yet. Calls go on meanwhile; the
// write-ahead log is not shortened until it is done. The copy is compact, has been synced when Backup returns, and appears
// under its name only then. It has the permissions of the database.
//
// To restore it, stop all processes that use the database, delete that with the files beside it (path + "-wal" and "-shm"),
// and put the copy in its place. An old write-ahead log beside a restored database would destroy it.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store/sqlite: backup to %s: there is such a file, or it cannot be looked for (%v); use another name", path, err)
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("store/sqlite: backup: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-partial-*")
	if err != nil {
		return explain(path, "making a backup", err)
	}
	if err := s.copyTo(ctx, tmp.Name()); err != nil {
		tmp.Close()
		os.Remove(tmp.Name())
		return err
	}
	for _, step := range []func() error{
		func() error { return tmp.Chmod(info.Mode().Perm()) },
		tmp.Sync, // SQLite does not
		tmp.Close,
		func() error { return os.Rename(tmp.Name(), path) },
	} {
		if err := step(); err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
			return explain(path, "making a backup", err)
		}
	}
	syncDir(filepath.Dir(path))
	return nil
}

// copyTo writes the database into an empty file.
func (s *Store) copyTo(ctx context.Context, path string) (err error) {
	c, err := openReader(ctx, s.path)
	if err != nil {
		return explainRead(ctx, s.path, "opening the file for a backup", err)
	}
	defer c.close()
	c.db.SetInterrupt(ctx)
	err = c.guard(func() error {
		return c.db.Exec(`PRAGMA query_only = OFF; VACUUM INTO '` + strings.ReplaceAll(path, "'", "''") + `'`)
	})
	return explainRead(ctx, path, "writing a backup", err)
}
