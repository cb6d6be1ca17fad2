package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is a [store.Store] and a [store.Notifier] in a Postgres database. Any number of them, in any number of processes, may
// have the same one.
type Store struct {
	options Options
	schema  string        // quoted
	pool    *pgxpool.Pool // of all calls
	leases  *pgxpool.Pool // of calls that concern owners: one connection, which no save keeps waiting
	sql     statements
	limits  limits
	teller  *teller
	asked   asked

	closing context.Context // ends when Close begins
	cancel  context.CancelFunc

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // those under way; Add with mu held
	down   chan struct{}  // closed when Close is done
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Notifier = (*Store)(nil)
)

// never stands for no time, in microseconds.
const never int64 = math.MaxInt64

// Open connects to the database of a URL (postgres://user:password@host:5432/database?sslmode=verify-full; further hosts and
// parameters as libpq has them, environment variables such as PGPASSWORD included) and creates the schema there, or brings it
// up to date. Options may be nil. ctx concerns Open alone.
//
// It fails if no server that takes writes can be reached, if the schema was made by a newer version of this package, or if
// it would have to be created and the user may not. It logs settings of the server that put saves at risk.
func Open(ctx context.Context, url string, options *Options) (*Store, error) {
	o, err := options.complete()
	if err != nil {
		return nil, err
	}
	config, err := parse(url, &o)
	if err != nil {
		return nil, err
	}
	s := &Store{options: o, schema: pgx.Identifier{o.Schema}.Sanitize(), limits: defaultLimits, down: make(chan struct{})}
	s.sql = newStatements(s.schema)
	s.teller = &teller{store: s, soonest: never, kick: make(chan struct{}, 1)}
	s.asked.next = never
	if err := s.prepare(ctx, config.ConnConfig); err != nil {
		return nil, fmt.Errorf("store/postgres: opening the store: %w", err)
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("store/postgres: opening the store: %w", err)
	}
	one := config.Copy()
	one.MaxConns = 1
	if s.leases, err = pgxpool.NewWithConfig(ctx, one); err != nil {
		s.pool.Close()
		return nil, fmt.Errorf("store/postgres: opening the store: %w", err)
	}
	s.closing, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// prepare makes sure of the server and the schema.
func (s *Store) prepare(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := reportWeak(ctx, conn, s.options.Logger); err != nil {
		return err
	}
	return migrate(ctx, conn, s.options.Schema, s.options.Logger)
}

// Close is part of [store.Store]. It waits for calls under way, which CallTimeout bounds, and for what others have yet to be
// told.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		<-s.down
		return nil
	}
	s.cancel()
	s.calls.Wait()
	s.teller.close()
	s.pool.Close()
	s.leases.Close()
	close(s.down)
	return nil
}

// begin begins a call. What it returns ends it, and has to be called unless it fails.
func (s *Store) begin(ctx context.Context) (context.Context, func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("store/postgres: nothing was done: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, store.ErrClosed
	}
	s.calls.Add(1)
	ctx, cancel := context.WithTimeoutCause(ctx, s.options.CallTimeout, errTooLong)
	return ctx, func() { cancel(); s.calls.Done() }, nil
}

var errTooLong = errors.New("it took longer than Options.CallTimeout")

// failed describes an error of a call. Whether anything was done is not known.
func failed(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("store/postgres: %s: %w: %w", what, cause, err)
	}
	return fmt.Errorf("store/postgres: %s: %w", what, err)
}

// timeOf makes a time of microseconds; the zero Time of nil.
func timeOf(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros)
}
