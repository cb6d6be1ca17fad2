package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gosocka/socka/store"
)

var closeTests = []test{
	{"Twice", testCloseTwice},
	{"FailsAllCalls", testCloseFailsCalls},
	{"LeavesOtherHandlesAlone", testCloseOthers},
	{"LeavesOwnersAlone", testCloseOwners},
	{"WaitsForCalls", testCloseWaits},
}

var contextTests = []test{
	{"Canceled", testContextCanceled},
	{"DeadlineOver", testContextDeadline},
}

// call is one call of a method.
type call struct {
	name string
	do   func(ctx context.Context, s store.Store) error
}

// everyCall has a call of every method but Close, of which all but the reads would change something: o has room1 under an
// epoch.
func everyCall(o store.Owner, epoch store.Epoch, now time.Time) []call {
	return []call{
		{"Join", func(ctx context.Context, s store.Store) error { _, err := s.Join(ctx, store.Owner{}, ttl); return err }},
		{"Renew", func(ctx context.Context, s store.Store) error { return s.Renew(ctx, o.ID) }},
		{"Owners", func(ctx context.Context, s store.Store) error { _, err := s.Owners(ctx); return err }},
		{"Acquire", func(ctx context.Context, s store.Store) error { _, err := s.Acquire(ctx, o.ID, room1); return err }},
		{"Save", func(ctx context.Context, s store.Store) error {
			errs := s.Save(ctx, []store.Batch{{Key: room1, Epoch: epoch, Put: parts("state", "x")}, {Key: room1, Epoch: epoch - 1}})
			if len(errs) != 2 {
				return errors.New("the number of errors is not that of batches")
			}
			if errs[0] == nil || errs[1] == nil || errors.Is(errs[1], store.ErrFenced) {
				return errors.Join(errors.New("not all batches have failed alike"), errs[0], errs[1])
			}
			return errs[0]
		}},
		{"Due", func(ctx context.Context, s store.Store) error { _, _, err := s.Due(ctx, now, 10); return err }},
		{"List", func(ctx context.Context, s store.Store) error {
			_, err := s.List(ctx, "", store.Key{}, 10)
			return err
		}},
		{"Load", func(ctx context.Context, s store.Store) error { _, err := s.Load(ctx, room1); return err }},
		{"Leave", func(ctx context.Context, s store.Store) error { return s.Leave(ctx, o.ID) }},
	}
}

func testCloseTwice(e *env) {
	other := e.open()
	for range 3 {
		if err := e.s.Close(); err != nil {
			e.Fatalf("Close: %v", err)
		}
	}
	e.join(other, ttl)
}

// wantAllFail asserts that every call fails with an error, and that none of them does anything.
func (e *env) wantAllFail(ctx context.Context, s store.Store, want error) {
	e.Helper()
	witness := e.open()
	o := e.join(witness, ttl)
	r := e.acquire(witness, o, room1)
	e.save(witness, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")})
	before := e.load(witness, room1)
	for _, c := range everyCall(o, r.Epoch, e.now) {
		if err := c.do(ctx, s); !errors.Is(err, want) {
			e.Errorf("%s: error %v, want %v", c.name, err, want)
		}
	}
	e.wantSame(e.load(witness, room1), before)
	e.wantOwners(witness, o.ID)
}

func testCloseFailsCalls(e *env) {
	s := e.open()
	if err := s.Close(); err != nil {
		e.Fatal(err)
	}
	e.wantAllFail(e.Context(), s, store.ErrClosed)
}

func testCloseOthers(e *env) {
	other := e.open()
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	if err := e.s.Close(); err != nil {
		e.Fatal(err)
	}
	e.save(other, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")})
	e.renew(other, o)
	e.wantParts(e.load(e.open(), room1), "state", "a")
}

func testCloseOwners(e *env) {
	o := e.join(e.s, ttl)
	e.acquire(e.s, o, room1)
	if err := e.s.Close(); err != nil {
		e.Fatal(err)
	}
	s := e.open()
	e.wantOwners(s, o.ID)
	taker := e.join(s, ttl)
	e.wantHeld(s, taker, room1, o)
	e.advance(ttl + margin + slack)
	e.acquire(s, taker, room1)
}

// A call under way when Close comes is carried out, or fails with ErrClosed: what was acknowledged is there.
func testCloseWaits(e *env) {
	s := e.open()
	o := e.join(s, ttl)
	const workers = 4
	acknowledged := make([]uint64, workers)
	var wg, begun sync.WaitGroup
	for i := range workers {
		k := store.Key{Kind: "chat", Name: string(rune('a' + i))}
		epoch := e.acquire(s, o, k).Epoch
		begun.Add(1)
		wg.Go(func() {
			for seq := uint64(1); ; seq++ {
				errs := s.Save(e.Context(), []store.Batch{{Key: k, Epoch: epoch, Append: []store.Append{appendTo("log", seq, "x")}}})
				if seq == 1 {
					begun.Done()
				}
				if len(errs) == 1 && errors.Is(errs[0], store.ErrClosed) {
					return
				}
				if len(errs) != 1 || errs[0] != nil {
					e.Errorf("Save while the store is being closed: %v, want nil or ErrClosed", errs)
					return
				}
				acknowledged[i] = seq
			}
		})
	}
	begun.Wait()
	if err := s.Close(); err != nil {
		e.Errorf("Close: %v", err)
	}
	wg.Wait()
	for i, n := range acknowledged {
		k := store.Key{Kind: "chat", Name: string(rune('a' + i))}
		if got := uint64(len(e.load(e.s, k).Logs["log"])); got != n {
			e.Errorf("%s has %d records, of which %d were acknowledged and the next failed with ErrClosed", k, got, n)
		}
	}
}

func testContextCanceled(e *env) {
	ctx, cancel := context.WithCancel(e.Context())
	cancel()
	e.wantAllFail(ctx, e.s, context.Canceled)
}

func testContextDeadline(e *env) {
	ctx, cancel := context.WithDeadline(e.Context(), time.Now().Add(-time.Second))
	defer cancel()
	e.wantAllFail(ctx, e.s, context.DeadlineExceeded)
}
