package sqlite

import (
	"math"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// query is a statement, which every connection prepares when it first needs it and keeps.
type query struct {
	index int
	sql   string
}

// queries are all of this package.
var queries []*query

func newQuery(sql string) *query {
	q := &query{index: len(queries), sql: sql}
	queries = append(queries, q)
	return q
}

// statement is a query prepared on one connection. Its parameters are given in order, from ?1; then it is either executed,
// or its rows are gone through with next until that is false, and done says how it ended. After an error everything else
// does nothing, and exec or done return it.
type statement struct {
	stmt *sqlite3.Stmt
	n    int // parameters that are bound
	err  error
}

// on begins a query. Only one use of a query is under way on a connection at a time.
func (c *conn) on(q *query) *statement {
	s := &c.statements[q.index]
	s.n, s.err = 0, nil
	if s.stmt == nil {
		s.stmt, _, s.err = c.db.PrepareFlags(q.sql, sqlite3.PREPARE_PERSISTENT)
	}
	return s
}

func (s *statement) int(v int64) *statement {
	if s.n++; s.err == nil {
		s.err = s.stmt.BindInt64(s.n, v)
	}
	return s
}

func (s *statement) text(v string) *statement {
	if s.n++; s.err == nil {
		s.err = s.stmt.BindText(s.n, v)
	}
	return s
}

func (s *statement) blob(v []byte) *statement {
	if v == nil {
		v = []byte{} // nil would be NULL
	}
	if s.n++; s.err == nil {
		s.err = s.stmt.BindBlob(s.n, v)
	}
	return s
}

// optional binds NULL for never.
func (s *statement) optional(v int64) *statement {
	if v != never {
		return s.int(v)
	}
	if s.n++; s.err == nil {
		s.err = s.stmt.BindNull(s.n)
	}
	return s
}

func (s *statement) exec() error {
	if s.err != nil {
		return s.err
	}
	return s.stmt.Exec()
}

func (s *statement) next() bool { return s.err == nil && s.stmt.Step() }

func (s *statement) done() error {
	if s.err != nil {
		return s.err
	}
	err := s.stmt.Err()
	if again := s.stmt.Reset(); err == nil {
		err = again
	}
	return err
}

func (s *statement) colInt(i int) int64   { return s.stmt.ColumnInt64(i) }
func (s *statement) colText(i int) string { return s.stmt.ColumnText(i) }

// colBlob returns a copy, which is never nil.
func (s *statement) colBlob(i int) []byte {
	return s.stmt.ColumnBlob(i, []byte{})
}

// colOptional returns never for NULL.
func (s *statement) colOptional(i int) int64 {
	if s.stmt.ColumnType(i) == sqlite3.NULL {
		return never
	}
	return s.colInt(i)
}

// never stands for no time, which is NULL in the database.
const never int64 = math.MaxInt64

// micros are those of a wall-clock time since 1970, never for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixMicro()
}

// timeOf is the opposite of micros.
func timeOf(micros int64) time.Time {
	if micros == never {
		return time.Time{}
	}
	return time.UnixMicro(micros)
}
