package storefault

import (
	"context"
	"errors"
	"fmt"
)

// ErrCrashed is the error of every call after a crash.
var ErrCrashed = errors.New("storefault: crashed")

// Fate is what becomes, in a crash, of the writes that wait here: because of a fault, and not yet handed to the store.
type Fate uint8

// Fates.
const (
	Either  Fate = iota // each is lost or carried out at random; of a Save, each batch
	Lost                // they are lost
	Applied             // they are carried out
)

// Crash makes the process that has this handle die: every call fails with ErrCrashed from now on, those under way too, and
// Notify ends and calls its function no more. Writes under way that the store has already got take their course there,
// those that wait here have the fate given. All that is over when Crash returns. Close works still, and gives back what the
// wrapped handle holds.
func (s *Store) Crash(fate Fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.crashed {
		s.crashed, s.fate = true, fate
		close(s.dead)
		for n := range s.notifies {
			n.cut(ErrCrashed)
		}
		s.note("Crash, with %d calls under way", s.underWay)
	}
	for s.underWay > 0 {
		s.idle.Wait()
	}
}

// perish is the end of a call that waits when the crash comes. It says what that was.
func (s *Store) perish(ctx context.Context, c *call) (how string) {
	ctx = context.WithoutCancel(ctx)
	defer c.fail(ErrCrashed)
	switch {
	case c.op&Writes == 0 || s.fate == Lost:
		return "lost in the crash"
	case s.fate == Applied:
		return fmt.Sprintf("done in the crash (%v)", c.run(ctx))
	case c.op == Save:
		done := s.choose(c.batches, nil, false)
		return fmt.Sprintf("torn %v in the crash (%v)", done, c.torn(ctx, done, ErrCrashed, false))
	}
	s.mu.Lock()
	lost := s.rnd.IntN(2) == 0
	s.mu.Unlock()
	if lost {
		return "lost in the crash"
	}
	return fmt.Sprintf("done in the crash (%v)", c.run(ctx))
}
