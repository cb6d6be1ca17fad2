package room

import "time"

// SavePolicy says when a room's state and sessions are saved. The zero policy is Every(time.Second).
type SavePolicy time.Duration

const (
	// EachTurn saves what a turn has changed before anything that the turn has caused leaves the room: answers, pushes,
	// closes. What a client has been told is never lost. Turns do not wait for saves, and what several turns have changed
	// while a save is under way is saved together.
	EachTurn SavePolicy = -1
	// OnSleep saves before the room sleeps or ends in good order, and not before: a crash loses what has happened since
	// the room woke.
	OnSleep SavePolicy = -2
)

// Every saves every so often, when something has changed: a crash loses at most what has happened since, that is in d and
// the time that the last save took. d is at least 1 ms.
func Every(d time.Duration) SavePolicy { return SavePolicy(d) }

// PanicPolicy says what becomes of the state after a panic in a turn.
type PanicPolicy uint8

const (
	// KeepState leaves the state as the handler left it.
	KeepState PanicPolicy = iota
	// RestoreState loads the room anew as it was last saved, under a new epoch. Sessions that have come since go through
	// OnAttach again, with the Data that they have; those that have gone since leave again.
	RestoreState
)

// Defaults of what is kept.
const (
	defaultSaveEvery  = time.Second
	defaultSleepAfter = time.Minute
	defaultResumeFor  = time.Minute
	minSaveEvery      = time.Millisecond

	defaultLeaseTTL      = 3 * time.Second
	defaultCommitTimeout = 5 * time.Second
	defaultMaxHeldBytes  = 4 << 20
	defaultMaxStateBytes = 16 << 20
	defaultMaxAlarms     = 1000

	// loadTimeout is how long a room tries to get its snapshot before whoever waits for it is told that it is unavailable,
	// and storeTimeout the longest that one call of the store may take.
	loadTimeout  = 5 * time.Second
	saveAgain    = 100 * time.Millisecond // after which Every tries again what it could not do in time
	sayAgain     = time.Second            // for which the next ones are told the same
	storeTimeout = 10 * time.Second
)
