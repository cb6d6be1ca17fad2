package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Database makes an empty database and returns its URL. It is dropped when the test ends, whoever is connected.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	s.mu.Lock()
	s.n++
	name := fmt.Sprintf("test%d", s.n)
	s.mu.Unlock()
	// Cheaper than a copy of template1, and no other connection is in the way.
	s.Exec(tb, s.URL("postgres"), "CREATE DATABASE "+name+" TEMPLATE template0")
	tb.Cleanup(func() {
		if s.running() {
			s.Exec(tb, s.URL("postgres"), "DROP DATABASE "+name+" WITH (FORCE)")
		}
	})
	return s.URL(name)
}

func (s *Server) running() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Exec runs statements, of which the last may have results: the text of its first row and column is returned, if there is
// one.
func (s *Server) Exec(tb testing.TB, url, sql string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatalf("postgrestest: %v", err)
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		tb.Fatalf("postgrestest: %s: %v", sql, err)
	}
	if n := len(results); n > 0 && len(results[n-1].Rows) > 0 && len(results[n-1].Rows[0]) > 0 {
		return string(results[n-1].Rows[0][0])
	}
	return ""
}

// Hold runs a statement in a transaction, which holds its locks until what it returns is called, or the test ends.
func (s *Server) Hold(tb testing.TB, url, sql string) (release func()) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatalf("postgrestest: %v", err)
	}
	release = sync.OnceFunc(func() { conn.Close(ctx) })
	tb.Cleanup(release)
	if _, err := conn.PgConn().Exec(ctx, "BEGIN; "+sql).ReadAll(); err != nil {
		tb.Fatalf("postgrestest: %s: %v", sql, err)
	}
	return release
}

// Dump makes a backup of a database with pg_dump, while others use it. Arguments are further options of pg_dump, as
// "--schema=socka".
func (s *Server) Dump(tb testing.TB, url string, args ...string) []byte {
	tb.Helper()
	return s.tool(tb, nil, "pg_dump", append([]string{"--format=custom", "--compress=0", "--dbname=" + url}, args...)...)
}

// Restore puts a backup back with pg_restore. What it has must not be there any more.
func (s *Server) Restore(tb testing.TB, url string, dump []byte) {
	tb.Helper()
	s.tool(tb, dump, "pg_restore", "--exit-on-error", "--single-transaction", "--dbname="+url)
}

func (s *Server) tool(tb testing.TB, stdin []byte, name string, args ...string) []byte {
	tb.Helper()
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("postgrestest: %s: %v\n%s", name, err, stderr.String())
	}
	return out
}
