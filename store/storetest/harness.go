package storetest

import (
	"testing"
	"time"

	"github.com/gosocka/socka/store"
)

// Harness is how a test handles the store under test. Every test makes one of its own, on data of its own.
type Harness struct {
	// Open opens the data of this harness once more: two calls give what two processes would have. The suite closes it.
	Open func(t *testing.T) store.Store

	// Advance makes the store see d pass, as far as leases are concerned, without waiting: by a virtual clock, or by
	// setting back what was written. The suite passes to Due a time of its own.
	Advance func(t *testing.T, d time.Duration)

	// Jump sets the wall clock that the store sees forward, or back for negative d, while no time passes. Nil: the tests of
	// it are skipped, saying why.
	Jump func(t *testing.T, d time.Duration)

	// Backup copies the data as the documentation tells users to, while the store is in use. What it returns puts the copy
	// in the place of the data, after all handles were closed. Nil: the tests of it are skipped, saying why.
	Backup func(t *testing.T) (restore func(t *testing.T))
}
