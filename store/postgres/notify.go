package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// pulse is how often f is called in any case: for what was not told because a process died, and to notice a connection
	// whose other end is no more.
	pulse = 30 * time.Second

	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

// Notify is part of [store.Notifier]. It has a connection of its own, which it makes again when it is lost, with growing
// pauses; so it does not end because the database is away. f is called when there is a connection, the first or another one;
// when owners joined, left, or renewed a lease that had ended; when a room that nobody has wants to be woken earlier than at
// the time that Due last returned; and every 30 s. This handle's own changes count like those of others.
func (s *Store) Notify(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store/postgres: nothing was done: %w", err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.closing, stop)()
	w := s.asked.watch()
	defer s.asked.unwatch(w)
	s.calls.Go(func() { s.keepListening(listening, w) })
	s.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closing.Done():
			return store.ErrClosed
		case <-w.told:
			f()
		}
	}
}

// keepListening listens until ctx ends.
func (s *Store) keepListening(ctx context.Context, w *watcher) {
	log := s.options.Logger
	backoff := firstBackoff
	lost := false
	for {
		err := s.listen(ctx, w, func() {
			if lost {
				log.Info("socka: the connection to Postgres that tells of changes is there again")
			}
			backoff, lost = firstBackoff, false
		})
		if ctx.Err() != nil {
			return
		}
		if !lost {
			log.Warn("socka: there is no connection to Postgres that tells of changes; it is being made again", "error", err)
			lost = true
		}
		// Not all processes at once.
		timer := time.NewTimer(backoff/2 + rand.N(backoff))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// listen makes a connection, and passes on what it is told until the connection is lost or ctx ends. It calls connected once
// there is one.
func (s *Store) listen(ctx context.Context, w *watcher, connected func()) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+s.schema); err != nil {
		return err
	}
	connected()
	w.tell()
	beat := time.Now().Add(pulse)
	for {
		told, err := wait(ctx, conn, beat)
		if err != nil {
			return err
		}
		if told == nil {
			if err := s.ping(ctx, conn); err != nil {
				return err
			}
			w.tell()
			beat = time.Now().Add(pulse)
		} else if wake, ok := readTold(told.Payload); !ok || s.asked.heard(wake) {
			w.tell()
		}
	}
}

// wait returns what the connection is told, or nil when it is time to.
func wait(ctx context.Context, conn *pgx.Conn, until time.Time) (*pgconn.Notification, error) {
	quiet, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	told, err := conn.WaitForNotification(quiet)
	if err != nil && ctx.Err() == nil && quiet.Err() != nil {
		return nil, nil
	}
	return told, err
}

func (s *Store) ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.CallTimeout)
	defer cancel()
	return conn.Ping(ctx)
}
