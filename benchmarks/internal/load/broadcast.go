package load

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// Broadcast says what a load of broadcasts is.
type Broadcast struct {
	Rooms   int
	Members int     // of each room; the first publishes
	Rate    float64 // publishes per second and room, open loop; 0: as many as are delivered, with window of them on the way
	Size    int     // bytes of a body as JSON
	Times
}

const (
	window  = 64               // publishes on the way when saturating
	drain   = 2 * time.Second  // in which what was published must arrive to count as delivered
	probing = 20 * time.Second // in which all members must have entered
	sampled = 8                // of so many members one looks at the time of every delivery
)

// fanout is a running Broadcast.
type fanout struct {
	Broadcast
	crew
	start     time.Time
	delivered atomic.Uint64
	got       []atomic.Uint64 // deliveries of each member
	latency   Histogram
	measuring atomic.Bool
	frames    []byte // scratch of publish

	wakeAt atomic.Uint64 // deliveries at which wake is told
	wake   chan struct{}
}

// Run publishes and takes what comes. An operation is a delivery. Times are taken from when a publish was due, not from
// when it was sent.
func (o Broadcast) Run(ctx context.Context, server Server) (Result, error) {
	f := &fanout{Broadcast: o, start: time.Now(), got: make([]atomic.Uint64, o.Rooms*o.Members), wake: make(chan struct{}, 1)}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	defer f.end()
	if err := f.dialAll(server, o.Rooms*o.Members, f.roomOf, false, 8<<10); err != nil {
		return Result{}, err
	}
	f.wakeAt.Store(1 << 63)
	for i, s := range f.sockets {
		f.read(s, func(n int) error { f.arrived(i, n); return nil }, f.timed(i))
	}
	body, err := NewBody(o.Size, 0)
	if err != nil {
		return Result{}, err
	}
	if err := f.probe(body); err != nil {
		return Result{}, err
	}
	return f.measure(server, body)
}

func (f *fanout) roomOf(i int) string { return "room-" + strconv.Itoa(i/f.Members) }

func (f *fanout) arrived(i, n int) {
	f.got[i].Add(uint64(n))
	if f.delivered.Add(uint64(n)) >= f.wakeAt.Load() {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// timed gives what looks at each delivery of a member: the time, or nothing.
func (f *fanout) timed(i int) func([]byte, time.Time) {
	if i%sampled != 0 && f.Members > sampled {
		return func([]byte, time.Time) {}
	}
	return func(m []byte, now time.Time) {
		if !f.measuring.Load() {
			return
		}
		stamp, ok := stampOf(m)
		if !ok {
			f.cancel(fmt.Errorf("a delivery without a time: %q", m))
		} else {
			f.latency.Add(now.Sub(f.start) - time.Duration(stamp))
		}
	}
}

// probe publishes until each member of each room was reached: then all are in. Then it waits for silence.
func (f *fanout) probe(body Body) error {
	until := time.Now().Add(probing)
	for {
		missing := 0
		for r := range f.Rooms {
			full := true
			for m := range f.Members {
				full = full && f.got[r*f.Members+m].Load() > 0
			}
			if full {
				continue
			}
			missing++
			if err := f.publish(r, 1, func(int) int64 { return 0 }, body); err != nil {
				return err
			}
		}
		if missing == 0 {
			break
		}
		if time.Now().After(until) {
			return fmt.Errorf("%d of %d rooms did not reach all of their members within %v", missing, f.Rooms, probing)
		}
		if err := f.wait(100 * time.Millisecond); err != nil {
			return err
		}
	}
	for before := uint64(0); before != f.delivered.Load(); {
		before = f.delivered.Load()
		if err := f.wait(100 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// publish makes n publishes in a room with one write.
func (f *fanout) publish(room, n int, due func(i int) int64, body Body) error {
	s := f.sockets[room*f.Members]
	f.frames = f.frames[:0]
	for i := range n {
		b := body.stamped(due(i))
		f.frames = s.frame(f.frames, func(dst []byte) []byte { return s.dialect.Publish(dst, 0, b) })
	}
	return s.write(f.frames)
}

func (f *fanout) measure(server Server, body Body) (Result, error) {
	base := f.delivered.Load()
	stop := make(chan struct{})
	published := make(chan uint64, 1)
	go func() {
		var n uint64
		var err error
		if f.Rate == 0 {
			n, err = f.saturate(stop, body)
		} else {
			n, err = f.onSchedule(stop, body)
		}
		if err != nil {
			f.cancel(err)
		}
		published <- n
	}()
	r, err := f.watch(server)
	close(stop)
	if err != nil {
		f.end() // a publisher that is stuck in a write goes on
	}
	var n uint64
	select {
	case n = <-published:
	case <-time.After(drain): // stuck in a write: the server takes no more
		f.end()
		n = <-published
	}
	if err != nil {
		return Result{}, err
	}
	offered := n * uint64(f.Members)
	for until := time.Now().Add(drain); f.delivered.Load()-base < offered && f.ctx.Err() == nil && time.Now().Before(until); {
		_ = f.wait(10 * time.Millisecond)
	}
	got := f.delivered.Load() - base
	if got > offered {
		return Result{}, fmt.Errorf("%d deliveries of %d", got, offered)
	}
	r.Delivered = float64(got) / float64(offered)
	r.P50, r.P99 = f.latency.Quantile(0.5), f.latency.Quantile(0.99)
	return r, nil
}

// watch measures while others publish.
func (f *fanout) watch(server Server) (Result, error) {
	if err := f.wait(f.Warm); err != nil {
		return Result{}, err
	}
	begin, err := readMeter(server)
	if err != nil {
		return Result{}, err
	}
	before := f.delivered.Load()
	f.measuring.Store(true)
	if err := f.wait(f.Measure); err != nil {
		return Result{}, err
	}
	return begin.until(f.delivered.Load() - before)
}

// saturate keeps window publishes on the way, in all rooms together.
func (f *fanout) saturate(stop <-chan struct{}, body Body) (published uint64, err error) {
	base := f.delivered.Load()
	now := func(int) int64 { return int64(time.Since(f.start)) }
	for room := 0; ; room = (room + 1) % f.Rooms {
		done := (f.delivered.Load() - base) / uint64(f.Members)
		if n := int(window + done - published); n > 0 {
			if err := f.publish(room, n, now, body); err != nil {
				return published, err
			}
			published += uint64(n)
		}
		f.wakeAt.Store(base + (published-window+1)*uint64(f.Members))
		if f.delivered.Load() >= f.wakeAt.Load() {
			continue
		}
		select {
		case <-f.wake:
		case <-stop:
			return published, nil
		case <-f.ctx.Done():
			return published, nil
		}
	}
}

// onSchedule publishes when it is due, the rooms one after the other, however late the server is.
func (f *fanout) onSchedule(stop <-chan struct{}, body Body) (published uint64, err error) {
	next := schedule{begin: time.Now(), step: float64(time.Second) / (f.Rate * float64(f.Rooms))}
	offset := next.begin.Sub(f.start)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-stop:
			return next.done, nil
		case <-f.ctx.Done():
			return next.done, nil
		}
		for next.isDue() {
			n := 1
			if f.Rooms == 1 { // what is due together is sent together
				n += min(next.late(), window)
			}
			err := f.publish(int(next.done%uint64(f.Rooms)), n, func(i int) int64 { return int64(offset + next.due(next.done+uint64(i))) }, body)
			if err != nil {
				return next.done, err
			}
			next.done += uint64(n)
			select {
			case <-stop:
				return next.done, nil
			default:
			}
		}
		timer.Reset(next.pause())
	}
}
