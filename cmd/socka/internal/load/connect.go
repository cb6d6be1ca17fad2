package load

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// connect opens n connections, some at a time, and stops at the first failure.
func (r *run) connect(ctx context.Context, u *url.URL, n int) error {
	r.clients = make([]*client, n)
	r.members = make([]atomic.Int64, r.cfg.Rooms)
	dialing, stop := context.WithCancel(ctx)
	defer stop()
	var next, opened atomic.Int64
	var once sync.Once
	var failure error
	var wg sync.WaitGroup
	for range min(dialers, n) {
		wg.Go(func() {
			for dialing.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				nc, early, err := dial(dialing, r.cfg, r.address(u, i))
				if err != nil {
					once.Do(func() { failure = fmt.Errorf("connection %d of %d: %w", opened.Load()+1, n, err) })
					stop()
					return
				}
				c := newClient(r, nc, early, i)
				r.clients[i] = c
				r.alive.Add(1)
				r.members[c.room].Add(1)
				r.unserved.Add(1)
				r.readers.Add(1)
				go c.read()
				c.mu.Lock()
				c.out = appendFrame(c.out, opPing, nil)
				c.flush()
				c.mu.Unlock()
				if k := opened.Add(1); k%100 == 0 {
					r.tell("%d of %d connections", k, n)
				}
			}
		})
	}
	wg.Wait()
	switch {
	case failure != nil && ctx.Err() == nil:
		return failure
	case ctx.Err() != nil:
		return errors.New("interrupted while connecting")
	}
	return nil
}

// await waits for a pong on every connection: the server has then entered it into its room, and what is published reaches
// it.
func (r *run) await(ctx context.Context) error {
	done := make(chan struct{})
	go func() { r.unserved.Wait(); close(done) }()
	timeout := time.NewTimer(r.cfg.Timeout)
	defer timeout.Stop()
	var err error
	select {
	case <-done:
		if r.alive.Load() == 0 {
			return fmt.Errorf("the server ended all connections at once: %s", r.firstText())
		}
		return nil
	case <-timeout.C:
		err = fmt.Errorf("some connections were not served within %v: no pong to a ping", r.cfg.Timeout)
	case <-ctx.Done():
		err = errors.New("interrupted while connecting")
	}
	r.leave()
	<-done
	return err
}
