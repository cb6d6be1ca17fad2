package sqlite

import (
	"errors"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// diskName is what our connections call the files of the system by.
const diskName = "socka"

func init() { vfs.Register(diskName, &disk{VFS: vfs.Find("")}) }

// disk is the files of the system, as the driver has them, but that it keeps the error of the system: the driver calls a full
// disk an I/O error, and often forgets which.
type disk struct{ vfs.VFS }

// OpenFilename is part of vfs.VFSFilename.
func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpenFilename(d.VFS, name, flags)
	if err != nil {
		return f, flags, err
	}
	file := &diskFile{File: f, failed: new(failure)}
	if main, ok := vfsutil.UnwrapFile[*diskFile](name.DatabaseFile()); ok {
		file.failed = main.failed
	}
	return file, flags, nil
}

// failure has the last error of the system that a connection met.
type failure struct{ err error }

type diskFile struct {
	vfs.File
	failed *failure // shared by the files of a connection
}

// noted keeps an error of the system, and says what SQLite is to make of it.
func (f *diskFile) noted(err error) error {
	var errno syscall.Errno
	if err == nil || !errors.As(err, &errno) {
		return err
	}
	f.failed.err = err
	if errno == syscall.ENOSPC || errno == syscall.EDQUOT {
		return vfs.SystemError(err, sqlite3.FULL)
	}
	return err
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, f.noted(err)
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	return n, f.noted(err)
}

func (f *diskFile) Truncate(size int64) error     { return f.noted(f.File.Truncate(size)) }
func (f *diskFile) Sync(flags vfs.SyncFlag) error { return f.noted(f.File.Sync(flags)) }
func (f *diskFile) SizeHint(size int64) error     { return f.noted(vfsutil.WrapSizeHint(f.File, size)) }
func (f *diskFile) HasMoved() (bool, error)       { return vfsutil.WrapHasMoved(f.File) }

// DeviceCharacteristics leaves out atomic writes of many pages, which would take calls that are not passed on.
func (f *diskFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return f.File.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}

// SharedMemory is part of vfs.FileSharedMemory.
func (f *diskFile) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(f.File) }

// failureOf finds where the errors of a connection's files are kept.
func failureOf(db *sqlite3.Conn) (*failure, error) {
	f, err := db.FileControl("main", sqlite3.FCNTL_FILE_POINTER)
	if err != nil {
		return nil, err
	}
	file, ok := f.(vfs.File)
	if !ok {
		return nil, errors.New("the driver does not say which file it has open")
	}
	d, ok := vfsutil.UnwrapFile[*diskFile](file)
	if !ok {
		return nil, errors.New("the driver opened another file than it was told to")
	}
	return d.failed, nil
}
