package postgres

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// Told in the transaction of the change.
	tellSQL = `SELECT pg_notify($1, $2)`

	// A transaction that notifies holds a lock of the whole server while it commits. This one has nothing to wait for then.
	tellSoonSQL = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`

	// tellOwners is told when the owners have changed. When a room wants to be woken that nobody has, it is tellWake and the
	// time in microseconds.
	tellOwners = "owners"
	tellWake   = "wake "

	// lull is how long wakes that are not near are gathered before one is told of; near are those within two lulls.
	lull = time.Second
)

// teller tells others when a room that was left to nobody wants to be woken. Saves do not notify by themselves, which would
// make them wait for each other (see tellSoonSQL); what they release is gathered here and the earliest is told, soon after.
// If this process dies before, the others find out by asking regularly.
type teller struct {
	store *Store

	mu      sync.Mutex
	soonest int64         // not told yet; never: none
	running bool          // a goroutine is at it
	kick    chan struct{} // holds one: there is a near one, or no time left
	closing bool
	done    sync.WaitGroup
}

func (t *teller) wake(at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.soonest = min(t.soonest, at)
	if !t.running {
		t.running = true
		t.done.Go(t.run)
	}
	if near(at) {
		t.hurry()
	}
}

func near(at int64) bool { return at < time.Now().Add(2*lull).UnixMicro() }

// hurry is called with mu held.
func (t *teller) hurry() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// close has everything told now that can be. Nothing may be added any more.
func (t *teller) close() {
	t.mu.Lock()
	t.closing = true
	t.hurry()
	t.mu.Unlock()
	t.done.Wait()
}

// run tells until nothing is left.
func (t *teller) run() {
	const firstBackoff, lastBackoff = 100 * time.Millisecond, 5 * time.Second
	backoff := firstBackoff
	for {
		at, ok := t.take()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), t.store.options.CallTimeout)
		_, err := t.store.pool.Exec(ctx, t.store.sql.tellSoon, t.store.options.Schema, tellWake+strconv.FormatInt(at, 10))
		cancel()
		if err == nil {
			backoff = firstBackoff
			continue
		}
		t.mu.Lock()
		t.soonest = min(t.soonest, at)
		closing := t.closing
		t.mu.Unlock()
		if closing {
			return
		}
		t.pause(backoff)
		backoff = min(2*backoff, lastBackoff)
	}
}

// take waits until there is one to tell of, as long as it makes sense. Not ok: there is none, and the goroutine is not
// running any more.
func (t *teller) take() (at int64, ok bool) {
	for paused := false; ; {
		t.mu.Lock()
		at = t.soonest
		switch {
		case at == never:
			t.running = false
			t.mu.Unlock()
			return 0, false
		case near(at) || paused || t.closing:
			t.soonest = never
			t.mu.Unlock()
			return at, true
		}
		t.mu.Unlock()
		paused = t.pause(lull)
	}
}

// pause waits, and says whether it was not cut short.
func (t *teller) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.kick:
		return false
	}
}

// readTold reads what was told. What it does not know may be anything.
func readTold(payload string) (wake int64, isWake bool) {
	text, ok := strings.CutPrefix(payload, tellWake)
	if !ok {
		return 0, false
	}
	wake, err := strconv.ParseInt(text, 10, 64)
	return wake, err == nil
}
