package postgres_test

import (
	"bytes"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/postgres/postgrestest"
	"github.com/gosocka/socka/store/storetest"
)

var quiet = slog.New(slog.DiscardHandler)

// open opens a store that is closed when the test ends.
func open(t testing.TB, url string, options *postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, options)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// eventually waits until something is so, which depends on another process.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for late := time.After(time.Minute); !is(); {
		select {
		case <-late:
			t.Fatalf("waited for a minute in vain: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// Every test has a schema of its own, which is cheaper than a database.
func TestStore(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	n := 0
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		n++
		schema := "test" + strconv.Itoa(n)
		return storetest.Harness{
			Open: func(t *testing.T) store.Store {
				return open(t, url, &postgres.Options{Schema: schema, Logger: quiet})
			},
			Advance: func(t *testing.T, d time.Duration) {
				t.Helper()
				server.Exec(t, url, "UPDATE "+schema+".owners SET expires = expires - "+micros(d))
			},
			Backup: func(t *testing.T) func(t *testing.T) {
				dump := server.Dump(t, url, "--schema="+schema)
				return func(t *testing.T) {
					server.Exec(t, url, "DROP SCHEMA "+schema+" CASCADE")
					server.Restore(t, url, dump)
				}
			},
		}
	})
}

// logBuffer is what was logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
