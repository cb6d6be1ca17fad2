package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/store"
)

// lease is a server as an owner in its store. It is joined when a room is first wanted and renewed while there are rooms;
// a server without rooms lets it end.
//
// The server judges itself from before it sent a renewal, so it gives up before anybody may take its rooms. It counts by
// the clock that runs and by the one on the wall, whichever is further: the first stands still while a machine sleeps.
// When the lease has ended nothing runs in its rooms and nothing leaves them; once it is renewed, each finds out whether it
// still has its epoch before it goes on.
type lease struct {
	store store.Store
	me    store.Owner
	ttl   time.Duration // zero: it does not end
	log   *slog.Logger
	used  func() bool // there are rooms
	back  func()      // it was renewed after it had ended

	busy chan struct{} // holds one while the store is asked to join or renew

	mu     sync.Mutex
	id     store.OwnerID
	timer  *time.Timer
	ended  bool // left, for good
	failed error

	sent atomic.Pointer[time.Time] // when the last renewal was; nil: never
	term atomic.Uint64             // how often it has ended: rooms of an earlier term must look whether they still are ours
}

// holds says whether the lease has not ended.
func (l *lease) holds() bool {
	if l.ttl == 0 {
		return true
	}
	sent := l.sent.Load()
	return sent != nil && l.young(*sent)
}

func (l *lease) young(sent time.Time) bool {
	now := time.Now()
	return now.Sub(sent) < l.ttl && now.Round(0).Sub(sent.Round(0)) < l.ttl
}

// get gives the owner under which rooms can be acquired, and the term.
func (l *lease) get(ctx context.Context) (store.OwnerID, uint64, error) {
	id, ended := l.owner()
	if ended {
		return "", 0, errShuttingDown
	}
	if id == "" || !l.holds() {
		if err := l.renew(ctx, true); err != nil {
			return "", 0, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil && l.ttl > 0 && !l.ended {
		l.timer = time.AfterFunc(l.ttl/3, l.keep)
	}
	return l.id, l.term.Load(), nil
}

// is says whether the server still is a certain owner.
func (l *lease) is(id store.OwnerID) bool {
	now, _ := l.owner()
	return now == id
}

func (l *lease) owner() (id store.OwnerID, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id, l.ended
}

// renew joins or renews; if only needed, not if somebody else has done it meanwhile.
func (l *lease) renew(ctx context.Context, ifNeeded bool) error {
	select {
	case l.busy <- struct{}{}:
		defer func() { <-l.busy }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	id, _ := l.owner()
	if ifNeeded && id != "" && l.holds() {
		return nil
	}
	sent := time.Now()
	if id != "" {
		err := l.store.Renew(ctx, id)
		if err == nil {
			l.renewed(id, sent)
			return nil
		}
		if !errors.Is(err, store.ErrLapsed) {
			return err
		}
		l.log.Error("socka: the store has forgotten this server, so it has no rooms any more; it begins anew", "owner", id)
		sent = time.Now()
	}
	me, err := l.store.Join(ctx, l.me, l.ttl)
	if err != nil {
		return err
	}
	if id != "" {
		l.term.Add(1)
		defer func() { go l.back() }()
	}
	l.renewed(me.ID, sent)
	return nil
}

func (l *lease) renewed(id store.OwnerID, sent time.Time) {
	before := l.sent.Load()
	ended := l.ttl > 0 && before != nil && !l.young(*before)
	if ended {
		l.term.Add(1) // before the lease holds again
	}
	l.mu.Lock()
	l.id, l.failed = id, nil
	l.mu.Unlock()
	l.sent.Store(&sent)
	if ended {
		go l.back()
	}
}

// forget has the server join anew, if the store has forgotten the owner that it was.
func (l *lease) forget(id store.OwnerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id == id {
		l.id = ""
		l.term.Add(1)
		go l.back()
	}
}

// keep renews the lease while it is used.
func (l *lease) keep() {
	l.mu.Lock()
	l.timer = nil // who needs the lease from now on sets another
	l.mu.Unlock()
	if !l.used() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(l.ttl/3, store.MinTTL))
	err := l.renew(ctx, false)
	cancel()
	next := l.ttl / 3
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		next = l.ttl / 10
		if l.failed == nil {
			l.log.Error("socka: the lease cannot be renewed", "owner", l.id, "error", err)
		}
		l.failed = err
	}
	if !l.ended && l.timer == nil {
		l.timer = time.AfterFunc(next, l.keep)
	}
}

// trouble says why rooms stand still, or nil.
func (l *lease) trouble() error {
	if l.ttl == 0 || l.sent.Load() == nil || l.holds() || !l.used() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Errorf("room: the lease of this server has ended and could not be renewed: %w", l.failed)
}

// abandon leaves the lease to its end.
func (l *lease) abandon() (id store.OwnerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
	id, l.id = l.id, ""
	return id
}

// leave ends the lease for good. The server has no rooms any more.
func (l *lease) leave(ctx context.Context) error {
	if id := l.abandon(); id != "" {
		return l.store.Leave(ctx, id)
	}
	return nil
}
