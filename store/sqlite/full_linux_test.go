package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// On a disk that is really full everything fails with an error that says so, reads go on, and so does the rest when there is
// space again.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("a small file system cannot be mounted, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(filepath.Join(dir, "rooms.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := joinTest(t, s)
	defer func() {
		// An owner that has not left would keep a file open.
		if err := errors.Join(s.Leave(t.Context(), o), s.Close()); err != nil {
			t.Error(err)
		}
	}()
	acknowledged := fillUp(t, s, o)
	if len(acknowledged) < 20 {
		t.Errorf("only %d rooms found space", len(acknowledged))
	}
	if _, err := s.Load(t.Context(), acknowledged[0]); err != nil {
		t.Errorf("a read on a full disk: %v", err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "backup.db")); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("a backup to a full disk: %v", err)
	}
	padding := fillWithPadding(t, dir)
	if other, err := Open(filepath.Join(dir, "other.db"), nil); err == nil {
		other.Close()
		t.Error("a new database found space on a full disk")
	} else if !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("a new database on a full disk: %v", err)
	}
	for _, name := range []string{ballast, padding} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	wantRecovered(t, s, o, acknowledged)
}

// fillWithPadding leaves not a page of a file system free.
func fillWithPadding(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "padding")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return path
		}
	}
}
