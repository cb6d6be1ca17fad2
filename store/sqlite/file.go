package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// suffixes of the files beside the database.
const (
	ownersSuffix = "-owners"
	shmSuffix    = "-shm"
)

// resolve says which file a path means, so that all handles on one file put what belongs to it into the same place.
func resolve(path string) (string, error) {
	switch {
	case path == "" || strings.Contains(path, ":memory:"):
		return "", fmt.Errorf("store/sqlite: %q is no file; use store.NewMemory for a store in memory", path)
	case strings.HasPrefix(path, "file:"):
		return "", fmt.Errorf("store/sqlite: %q is a URI; give the path of the file alone", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("store/sqlite: %w", err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
		if err != nil {
			return "", fmt.Errorf("store/sqlite: the folder of %s: %w; make it first", path, err)
		}
		return filepath.Join(dir, filepath.Base(abs)), nil
	}
	if err != nil {
		return "", fmt.Errorf("store/sqlite: %w", err)
	}
	return real, nil
}

// prepare makes the file, empty and for its user alone, if it is not there. One that is there has to be ours, or empty, and
// is not touched. It returns the permissions, which those beside it get too.
func prepare(path string) (fs.FileMode, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		file.Close()
		syncDir(filepath.Dir(path))
		return 0o600, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return 0, explain(path, "making the file", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("store/sqlite: %w", err)
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("store/sqlite: %s is no file but a %s; give the path of a file", path, kindOf(info.Mode()))
	}
	if file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return 0, explain(path, "opening the file", err)
	}
	defer file.Close()
	return info.Mode().Perm(), checkHeader(path, file)
}

func kindOf(mode fs.FileMode) string {
	if mode.IsDir() {
		return "folder"
	}
	return "special file"
}

// checkHeader reads whose file it is without SQLite, which would do to a file with a journal what the journal says. Ours
// have their mark from the moment that they are not empty.
func checkHeader(path string, file io.Reader) error {
	const magic, idAt = "SQLite format 3\x00", 68
	header := make([]byte, 100)
	n, err := io.ReadFull(file, header)
	switch {
	case err == io.EOF:
		return nil
	case err != nil && err != io.ErrUnexpectedEOF:
		return explain(path, "reading the header", err)
	case n < len(header) || string(header[:len(magic)]) != magic:
		return fmt.Errorf("store/sqlite: %s is not an SQLite database; it is left as it is, use another path", path)
	}
	if id := binary.BigEndian.Uint32(header[idAt:]); id != applicationID {
		return fmt.Errorf("store/sqlite: %s is a database of another program (its application id is %d, ours %d); it is left as it is, use another path",
			path, id, applicationID)
	}
	return nil
}

// makeShared makes the file of SQLite's shared memory, so that it has the permissions of the database: the driver would give
// it those of the umask. SQLite takes an empty one as new.
func makeShared(path string, perm fs.FileMode) {
	file, err := os.OpenFile(path+shmSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err == nil {
		file.Chmod(perm)
		file.Close()
	}
}

// tightenShared is for the case that another process deleted the file that makeShared made, closing the database, before
// this one opened it. From now on nobody deletes it.
func tightenShared(path string, perm fs.FileMode) {
	if info, err := os.Stat(path + shmSuffix); err == nil && info.Mode().Perm()&^perm != 0 {
		os.Chmod(path+shmSuffix, perm)
	}
}

// syncDir makes it durable that a file is in a folder. Where folders cannot be synced, it is not.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
