package sqlite

import (
	"context"
	"errors"
)

// readers are the connections that read, opened when they are first needed. Each read sees one state of the database, and
// waits for no writer.
type readers struct {
	path string
	free chan *conn // nil: to be opened
}

// maxReaders is how many reads go on at once.
const maxReaders = 4

func newReaders(path string) *readers {
	r := &readers{path: path, free: make(chan *conn, maxReaders)}
	for range maxReaders {
		r.free <- nil
	}
	return r
}

// do calls f with a connection, in a transaction.
func (r *readers) do(ctx context.Context, doing string, f func(c *conn) error) (err error) {
	var c *conn
	select {
	case c = <-r.free:
	case <-ctx.Done():
		return ended(ctx)
	}
	defer func() { r.free <- c }()
	if c == nil {
		if c, err = openReader(ctx, r.path); err != nil {
			return explainRead(ctx, r.path, "opening the file", err)
		}
	}
	c.db.SetInterrupt(ctx)
	err = c.transaction(func() error { return f(c) })
	c.db.SetInterrupt(context.Background())
	if c.broken {
		c.close()
		c = nil
	}
	return explainRead(ctx, r.path, doing, err)
}

// explainRead is explain for what is interrupted when the context ends.
func explainRead(ctx context.Context, path, doing string, err error) error {
	if err != nil && ctx.Err() != nil {
		return ended(ctx)
	}
	return explain(path, doing, err)
}

func (r *readers) close() error {
	var errs []error
	for range maxReaders {
		if c := <-r.free; c != nil {
			errs = append(errs, c.close())
		}
	}
	return explain(r.path, "closing", errors.Join(errs...))
}
