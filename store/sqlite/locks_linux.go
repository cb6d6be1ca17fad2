package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// locks are byte-range locks of this handle on the file of owners. They belong to its open file description, so that two
// handles of one process see each other's, and the kernel drops them when the process ends, however it ends.
//
// An owner's is at the number that its row has, which is above all that have a meaning of their own.
type locks struct {
	file *os.File
	raw  syscall.RawConn // of the file
	mu   sync.Mutex
	held map[int64]bool // of owners
	late atomic.Bool    // a goroutine still waits for a lock that nobody wants any more
}

// abandoned has the files of handles that were closed while they had owners. Those go on living until their leases end,
// as the contract of a store has it, or this process.
var abandoned struct {
	sync.Mutex
	files []*os.File
}

// openLocks makes the file if it is not there. It returns nil if the file system has no such locks.
func openLocks(path string, perm fs.FileMode) (*locks, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err == nil {
		err = file.Chmod(perm) // whatever the umask
	} else if errors.Is(err, fs.ErrExist) {
		file, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	l := &locks{file: file, raw: raw, held: make(map[int64]bool)}
	if _, err := l.free(firstOwnerLock); err != nil {
		file.Close()
		return nil, nil
	}
	return l, nil
}

// fcntl does something about the lock at one byte. It is safe while the file is being closed.
func (l *locks) fcntl(cmd int, lock *unix.Flock_t) (err error) {
	again := l.raw.Control(func(fd uintptr) {
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.FcntlFlock(fd, cmd, lock)
		}
	})
	if again != nil {
		return again // it is closed
	}
	return err
}

// set takes a lock, or gives it back, without waiting. It returns false if another handle has it.
func (l *locks) set(at int64, kind int16) (bool, error) {
	err := l.fcntl(unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: at, Len: 1})
	if err == unix.EAGAIN || err == unix.EACCES {
		return false, nil
	}
	return err == nil, err
}

// free says whether no other handle has a lock.
func (l *locks) free(at int64) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	err := l.fcntl(unix.F_OFD_GETLK, &lock)
	return err == nil && lock.Type == unix.F_UNLCK, err
}

// hold takes the lock of an owner, unless another handle has it.
func (l *locks) hold(owner int64) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ok, err := l.set(owner, unix.F_WRLCK)
	if ok {
		l.held[owner] = true
	}
	return ok, err
}

// drop gives back the lock of an owner, if this handle has it.
func (l *locks) drop(owner int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[owner] {
		delete(l.held, owner)
		l.set(owner, unix.F_UNLCK) // cannot fail: it is ours
	}
}

// dead says whether nobody has the lock of an owner. If the kernel cannot tell, it is alive.
func (l *locks) dead(owner int64) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	held := l.held[owner]
	l.mu.Unlock()
	if held {
		return false
	}
	free, err := l.free(owner)
	return free && err == nil
}

func (l *locks) close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.held) == 0 {
		return l.file.Close()
	}
	abandoned.Lock()
	defer abandoned.Unlock()
	abandoned.files = append(abandoned.files, l.file)
	return nil
}

// Bytes with a meaning of their own.
const (
	queueLock = 0 // whoever has it is the next to write
	writeLock = 1 // whoever has it writes
)

// enter waits for this handle's turn to write, until the deadline, and says whether it came; see writer.turn.
func (l *locks) enter(deadline time.Time) bool {
	if !l.waitFor(queueLock, deadline) {
		return false
	}
	ok := l.waitFor(writeLock, deadline)
	l.set(queueLock, unix.F_UNLCK)
	return ok
}

// waitFor takes a lock, waiting for it until the deadline. The kernel wakes whoever waits at once, which asking from time to
// time does not.
func (l *locks) waitFor(at int64, deadline time.Time) bool {
	if l.late.Load() {
		return false // of an earlier wait; the locks of one handle do not keep each other out
	}
	if ok, err := l.set(at, unix.F_WRLCK); ok || err != nil {
		return ok
	}
	got, gone := make(chan bool), make(chan struct{})
	l.late.Store(true)
	go func() {
		ok := l.fcntl(unix.F_OFD_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}) == nil
		select {
		case got <- ok:
		case <-gone:
			if ok {
				l.set(at, unix.F_UNLCK)
			}
			l.late.Store(false)
		}
	}()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case ok := <-got:
		l.late.Store(false)
		return ok
	case <-timer.C:
		close(gone)
		return false
	}
}

func (l *locks) leave() { l.set(writeLock, unix.F_UNLCK) }
