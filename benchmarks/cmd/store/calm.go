package main

import (
	"context"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
)

// Of a measurement that wants a quiet machine.
const (
	calmLook    = 300 * time.Millisecond // over which it is seen what others use
	calmWait    = 10 * time.Minute       // until it is made anyhow
	calmRetries = 30
)

// calm makes a measurement when other programs use little of the machine, and again if they did not while it was made. The
// calmest counts.
func (o *options) calm(ctx context.Context, part string, m member) (f figures, err error) {
	for again := range calmRetries {
		if o.quiet > 0 {
			if err := waitCalm(ctx, o.quiet, load.MachineCPU); err != nil {
				return f, err
			}
		}
		one, err := o.one(ctx, part, m)
		if err != nil {
			return f, err
		}
		if again == 0 || one.Others < f.Others {
			f = one
		}
		if o.quiet <= 0 || f.Others <= o.quiet {
			break
		}
	}
	return f, nil
}

// waitCalm waits while the machine is busy, as told by the time that its processors have worked, at most calmWait.
func waitCalm(ctx context.Context, most float64, used func() (time.Duration, error)) error {
	for range calmWait / calmLook {
		before, err := used()
		if err != nil {
			return err
		}
		start := time.Now()
		if err := wait(ctx, calmLook); err != nil {
			return err
		}
		after, err := used()
		if err != nil {
			return err
		}
		if (after - before).Seconds() <= most*time.Since(start).Seconds() {
			return nil
		}
	}
	return nil
}
