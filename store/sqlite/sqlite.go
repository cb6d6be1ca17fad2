package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gosocka/socka/store"
)

// Options say how a store works. Nil means all defaults.
type Options struct {
	// Relaxed has saves acknowledged before they are synced to the disk (synchronous=NORMAL in SQLite's words). What it may
	// lose are the saves of the last seconds or minutes, since the last checkpoint, when the machine loses power or its kernel
	// crashes; of each room an older state is there then, whole. A process that crashes or is killed loses nothing either
	// way. Default: false, every save that was acknowledged has been synced.
	Relaxed bool
}

// Store is a [store.Store] in one file. Its methods may be called from any goroutine.
type Store struct {
	path  string
	clock clock
	locks *locks // nil where there are none
	write *writer
	read  *readers

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // under way; none is added once closed
	close  func() error   // what is left to close, once
}

var _ store.Store = (*Store)(nil)

// Open opens a database, and makes it if there is no file at path or an empty one. The file and what SQLite puts beside it
// (path + "-wal", "-shm", and "-owners") are for this user alone if they are made, and have the file's permissions
// otherwise. Opening one file several times, in one process or in many, is allowed.
//
// It fails, and leaves the file as it is, if that is not ours, or was written by a newer version; if it or its folder
// cannot be written; or if another process keeps it locked for 10 seconds.
func Open(path string, opts *Options) (*Store, error) {
	return open(path, opts, systemClock())
}

func open(path string, opts *Options, clock clock) (_ *Store, err error) {
	if opts == nil {
		opts = new(Options)
	}
	path, err = resolve(path)
	if err != nil {
		return nil, err
	}
	perm, err := prepare(path)
	if err != nil {
		return nil, err
	}
	makeShared(path, perm)
	c, err := openConn(path)
	if err != nil {
		return nil, explain(path, "opening the file", err)
	}
	pragmas := pragmasOf(opts)
	err = c.guard(func() error {
		if err := c.setUp(migrations); err != nil {
			return err
		}
		return retry(func() error { return c.db.Exec(pragmas) })
	})
	if err != nil {
		c.close()
		return nil, explain(path, "opening the database", err)
	}
	tightenShared(path, perm)
	locks, err := openLocks(path+ownersSuffix, perm)
	if err != nil {
		c.close()
		return nil, explain(path, "opening the file of owners", err)
	}
	s := &Store{path: path, clock: clock, locks: locks, write: newWriter(path, c, pragmas, locks), read: newReaders(path)}
	s.close = sync.OnceValue(func() error {
		s.calls.Wait()
		// The readers first: whoever closes the last connection copies the log into the database.
		return errors.Join(s.read.close(), s.write.close(), s.locks.close())
	})
	return s, nil
}

// pragmasOf are the settings of the connection that writes.
func pragmasOf(opts *Options) string {
	sync := "FULL"
	if opts.Relaxed {
		sync = "NORMAL"
	}
	return fmt.Sprintf(`PRAGMA synchronous = %s; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = %d`,
		sync, maxTimes*checkpointPages*4096)
}

// begin begins a call. If it succeeds, s.calls.Done ends it.
func (s *Store) begin(ctx context.Context) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.calls.Add(1)
	return nil
}

// Close is part of [store.Store]. The last handle that closes leaves the database in its file alone. Owners that have not
// left live on until their leases end, or this process.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if err := s.close(); !again {
		return err
	}
	return nil
}
