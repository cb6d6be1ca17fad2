package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/gosocka/socka/store"
)

// faults makes the disk fail for connections that are opened from now on, whenever fail says so of an operation and a file,
// until the end of the test.
func faults(t *testing.T, fail func(op, name string) error) {
	t.Helper()
	was := vfs.Find(diskName).(*disk)
	vfs.Register(diskName, &disk{VFS: &faultyVFS{VFS: was.VFS, fail: fail}})
	t.Cleanup(func() { vfs.Register(diskName, was) })
}

type faultyVFS struct {
	vfs.VFS
	fail func(op, name string) error
}

func (d *faultyVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpenFilename(d.VFS, name, flags)
	if err != nil {
		return f, flags, err
	}
	return &faultyFile{File: f, name: name.String(), fail: d.fail}, flags, nil
}

type faultyFile struct {
	vfs.File
	name string
	fail func(op, name string) error
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fail("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fail("write", f.name); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *faultyFile) Sync(flags vfs.SyncFlag) error {
	if err := f.fail("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

func (f *faultyFile) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(f.File) }

// A disk that fails is an error that says what the system said, and the calls go on when it works again. What was
// acknowledged is there then.
func TestDiskFails(t *testing.T) {
	for _, c := range []struct {
		op, suffix string
		err        syscall.Errno
		want       string
	}{
		{"sync", "-wal", syscall.EIO, "the disk failed: see the system's log"},
		{"write", "-wal", syscall.EIO, "the disk failed: see the system's log"},
		{"write", "-wal", syscall.ENOSPC, "the disk is full: free some space"},
		{"write", "-wal", syscall.EDQUOT, "the disk is full: free some space"},
		{"sync", "-wal", syscall.ENOSPC, "the disk is full: free some space"},
	} {
		t.Run(fmt.Sprint(c.op, " ", c.err), func(t *testing.T) {
			var armed atomic.Bool
			faults(t, func(op, name string) error {
				if armed.Load() && op == c.op && strings.HasSuffix(name, c.suffix) {
					return c.err
				}
				return nil
			})
			s := openTest(t, newPath(t), new(testClock))
			o := joinTest(t, s)
			batches := fill(t, s, o, 30)
			save(t, s, batches[:10])
			armed.Store(true)
			errs := make([]error, 10)
			together(t, s, 10, func(i int) { errs[i] = s.Save(t.Context(), batches[10+i:11+i])[0] })
			for i, err := range errs {
				if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) || errors.Is(err, store.ErrFenced) {
					t.Errorf("save %d on a disk that fails: %v, want %v and %q", i, err, c.err, c.want)
				}
			}
			if _, err := s.Load(t.Context(), batches[0].Key); err != nil {
				t.Errorf("a read while nothing can be written: %v", err)
			}
			armed.Store(false)
			save(t, s, batches[10:])
			for _, s := range []*Store{s, openTest(t, s.path, new(testClock))} {
				list, err := s.List(t.Context(), "", store.Key{}, 100)
				if err != nil || len(list) != len(batches) {
					t.Errorf("List: %d rooms (%v), want %d", len(list), err, len(batches))
				}
			}
		})
	}
}

// A checkpoint that fails stops nobody, and is made up for.
func TestCheckpointFails(t *testing.T) {
	path := newPath(t)
	var armed atomic.Bool
	faults(t, func(op, name string) error {
		if armed.Load() && op == "write" && name == path {
			return syscall.EIO
		}
		return nil
	})
	s := openTest(t, path, new(testClock))
	batches := smallLog(t, s)
	armed.Store(true)
	if _, last := saveOften(t, s, batches, 8); last <= maxTimes*200 {
		t.Fatalf("the log has %d pages; the checkpoints have not failed", last)
	}
	armed.Store(false)
	if _, last := saveOften(t, s, batches, 8); last > maxTimes*200 {
		t.Errorf("the log has %d pages after checkpoints could be made again", last)
	}
}
