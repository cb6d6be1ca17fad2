package rooms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gosocka/socka/store"
)

// How long the lease of an owner is, how often it is renewed, and how long giving rooms back may take after an interruption.
const (
	leaseTime = 30 * time.Second
	renewTime = leaseTime / 3
	graceTime = 10 * time.Second
)

// owner changes rooms, as one that joins the store for it.
type owner struct {
	store store.Store
	id    store.OwnerID
	stop  func()
}

// errLease is why work ends when the lease cannot be kept.
var errLease = errors.New("the lease in the store was lost")

// join makes an owner. The context that it returns ends when ctx does, or the lease.
func join(ctx context.Context, s store.Store, what string) (*owner, context.Context, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	o, err := s.Join(ctx, store.Owner{
		Addr:  fmt.Sprintf("socka store %s, process %d on %s", what, os.Getpid(), host),
		Props: map[string]string{"tool": "socka"},
	}, leaseTime)
	if err != nil {
		return nil, nil, err
	}
	work, cancel := context.WithCancelCause(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { renew(work, cancel, s, o.ID) })
	return &owner{store: s, id: o.ID, stop: func() { cancel(context.Canceled); wait.Wait() }}, work, nil
}

// renew keeps a lease until ctx ends, and ends it if that is not possible.
func renew(ctx context.Context, cancel context.CancelCauseFunc, s store.Store, id store.OwnerID) {
	tick := time.NewTicker(renewTime)
	defer tick.Stop()
	for good := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			switch err := s.Renew(ctx, id); {
			case err == nil:
				good = now
			case errors.Is(err, store.ErrLapsed) || time.Since(good) >= leaseTime-renewTime:
				cancel(fmt.Errorf("%w: %w", errLease, err))
				return
			}
		}
	}
}

// leave gives back what the owner has, also after its context has ended.
func (o *owner) leave(ctx context.Context) error {
	o.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	if err := o.store.Leave(ctx, o.id); err != nil {
		return fmt.Errorf("giving back the rooms: %w; they are free in %v", err, leaseTime+store.Margin(leaseTime))
	}
	return nil
}

// save carries batches out, also after the context has ended, for their rooms were acquired before. It returns the error of
// each.
func (o *owner) save(ctx context.Context, batches []store.Batch) []error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	return o.store.Save(ctx, batches)
}

// heldBy says in words who has a room.
func heldBy(o store.Owner) string {
	text := fmt.Sprintf("held by %s (%s)", o.Addr, o.ID)
	if o.Addr == "" {
		text = "held by " + string(o.ID)
	}
	return text
}
