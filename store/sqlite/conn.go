package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Of each connection.
const (
	// maxMemory is what SQLite may allocate. A value takes three times its length while it is written.
	maxMemory = 512 << 20
	// maxValueBytes is the longest part or record.
	maxValueBytes = 64 << 20
)

// conn is a connection to the file. One goroutine at a time uses it.
type conn struct {
	db         *sqlite3.Conn
	statements []statement // by query
	// broken says that something happened after which nothing is known of the connection. It is closed and not used again.
	broken bool
	failed *failure // what the system said last
}

// openConn opens an existing file. It leaves all settings as they are by default.
func openConn(path string) (c *conn, err error) {
	defer recovered(&err)
	slash := filepath.ToSlash(path)
	if !strings.HasPrefix(slash, "/") {
		slash = "/" + slash // of Windows, with a letter
	}
	u := url.URL{Scheme: "file", Path: slash, RawQuery: url.Values{"vfs": {diskName}, "mode": {"rw"}, "modeof": {path}}.Encode()}
	db, err := sqlite3.OpenContext(sqlite3.WithMaxMemory(context.Background(), maxMemory), u.String())
	if err != nil {
		return nil, err
	}
	failed, err := failureOf(db)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &conn{db: db, statements: make([]statement, len(queries)), failed: failed}, nil
}

// openReader opens a connection that only reads, and that waits for what is locked until the context of the call ends.
func openReader(ctx context.Context, path string) (*conn, error) {
	c, err := openConn(path)
	if err != nil {
		return nil, err
	}
	err = c.guard(func() error {
		c.db.SetInterrupt(ctx)
		defer c.db.SetInterrupt(context.Background())
		wait := func(_ context.Context, count int) bool {
			time.Sleep(pause(count))
			return true
		}
		if err := c.db.BusyHandler(wait); err != nil {
			return err
		}
		return c.db.Exec(`PRAGMA query_only = ON; PRAGMA cache_size = -4000`)
	})
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// pause is how long to wait before asking again for something that another process has, after count attempts.
func pause(count int) time.Duration {
	return min(time.Duration(count+1)*100*time.Microsecond, 5*time.Millisecond)
}

// guard calls f, and makes an error of a panic of the driver, which panics when SQLite runs out of memory.
func (c *conn) guard(f func() error) (err error) {
	c.failed.err = nil
	defer func() {
		if err == nil {
			return
		}
		if c.failed.err != nil && !errors.Is(err, c.failed.err) {
			err = fmt.Errorf("%w (%w)", err, c.failed.err)
		}
		c.broken = c.broken || breaks(err)
	}()
	defer recovered(&err)
	return f()
}

// errPanic is what the driver panicked with.
var errPanic = errors.New("the driver panicked")

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", errPanic, p)
	}
}

// transaction calls f between BEGIN and COMMIT, for reads.
func (c *conn) transaction(f func() error) error {
	return c.guard(func() error {
		if err := c.on(qBegin).exec(); err != nil {
			return err
		}
		err := f()
		if err == nil {
			err = c.on(qCommit).exec()
		}
		if err != nil {
			c.rollback()
		}
		return err
	})
}

// rollback ends a transaction, if one is there.
func (c *conn) rollback() {
	err := c.guard(c.tryRollback)
	c.broken = c.broken || err != nil
}

func (c *conn) tryRollback() error {
	for i := range c.statements {
		if s := c.statements[i].stmt; s != nil {
			s.Reset() // its error is the one that brought us here
		}
	}
	if c.db.GetAutocommit() {
		return nil
	}
	c.db.SetInterrupt(context.Background()) // also after the context of a read has ended
	return c.db.Exec(`ROLLBACK`)
}

func (c *conn) close() (err error) {
	defer recovered(&err)
	for i := range c.statements {
		if s := c.statements[i].stmt; s != nil {
			s.Close()
		}
	}
	return c.db.Close()
}

var (
	qBegin          = newQuery(`BEGIN`)
	qBeginImmediate = newQuery(`BEGIN IMMEDIATE`)
	qCommit         = newQuery(`COMMIT`)
)
