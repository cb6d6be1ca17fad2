package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/store"
)

var notifyTests = []test{
	{"FirstAtOnce", testNotifyFirst},
	{"Changes", testNotifyChanges},
	{"NextOrNews", testNotifyNextOrNews},
	{"ChangesDuringACall", testNotifyDuring},
	{"EndsWithItsContext", testNotifyContext},
	{"EndsWithClose", testNotifyClose},
	{"Closed", testNotifyClosed},
}

// patience is how long something that has to happen may take.
const patience = time.Minute

func (e *env) notifier(s store.Store) store.Notifier {
	e.Helper()
	n, ok := s.(store.Notifier)
	if !ok {
		e.Skipf("%T is no Notifier", s)
	}
	return n
}

// watch runs Notify on a handle. told gets something after each call of f, but holds only one; done gets what Notify
// returns.
func (e *env) watch(ctx context.Context, s store.Store, f func()) (told chan struct{}, done chan error) {
	e.Helper()
	n := e.notifier(s)
	told, done = make(chan struct{}, 1), make(chan error, 1)
	go func() {
		done <- n.Notify(ctx, func() {
			f()
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	return told, done
}

func await[T any](e *env, what string, c <-chan T) T {
	e.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		e.Fatalf("waited for %v in vain: %s", patience, what)
		panic("unreachable")
	}
}

func testNotifyFirst(e *env) {
	ctx, cancel := context.WithCancel(e.Context())
	told, done := e.watch(ctx, e.s, func() {})
	await(e, "the first call of f", told)
	cancel()
	await(e, "the end of Notify", done)
}

func testNotifyChanges(e *env) {
	other := e.open()
	ctx, cancel := context.WithCancel(e.Context())
	// How often f is called is left open, so each step waits until the watcher can see what was changed.
	see := make(chan func() bool, 1)
	var want func() bool
	seen := make(chan struct{}, 1)
	_, done := e.watch(ctx, e.s, func() {
		select {
		case want = <-see:
		default:
		}
		if want != nil && want() {
			want = nil
			seen <- struct{}{}
		}
	})
	owners := func(n int) func() bool {
		return func() bool {
			list, err := e.s.Owners(ctx)
			return err == nil && len(list) == n
		}
	}
	due := func(n int) func() bool {
		now := e.now
		return func() bool {
			list, _, err := e.s.Due(ctx, now, 100)
			return err == nil && len(list) == n
		}
	}
	both := func(a, b func() bool) func() bool { return func() bool { return a() && b() } }
	var o store.Owner
	for _, step := range []struct {
		name string
		want func() bool
		do   func()
	}{
		{"Join", owners(1), func() { o = e.join(other, ttl) }},
		{"Join of another", owners(2), func() { e.join(other, 0) }},
		{"Release with a Wake", due(1), func() { e.asleep(other, o, room1, e.now) }},
		{"Save of nobody's room with an earlier Wake", due(2), func() {
			r := e.acquire(other, o, room2)
			e.save(other, store.Batch{Key: room2, Epoch: r.Epoch, Wake: e.now.Add(time.Hour), Then: store.Release})
			e.save(other, store.Batch{Key: room2, Epoch: r.Epoch, Wake: e.now})
		}},
		{"Leave, with a room that is due", both(owners(1), due(3)), func() {
			r := e.acquire(other, o, room3)
			e.save(other, store.Batch{Key: room3, Epoch: r.Epoch, Wake: e.now})
			e.leave(other, o)
		}},
	} {
		see <- step.want
		step.do()
		await(e, "that f is called, and sees it, after "+step.name, seen)
	}
	cancel()
	await(e, "the end of Notify", done)
}

// What makes a room due sooner than next said is told.
func testNotifyNextOrNews(e *env) {
	other := e.open()
	o := e.join(other, ttl)
	at := e.now.Add(ttl + margin)
	asked := make(chan time.Time, 100)
	ctx, cancel := context.WithCancel(e.Context())
	_, done := e.watch(ctx, e.s, func() {
		_, next, err := e.s.Due(ctx, e.now, 10)
		if err != nil && ctx.Err() == nil {
			e.Errorf("Due: %v", err)
		}
		select {
		case asked <- next:
		default:
		}
	})
	inTime := func(next time.Time) bool { return !next.IsZero() && !next.After(at.Add(slack)) }
	next := await(e, "the first call of f", asked)
	e.acquire(other, o, room1)
	for !inTime(next) {
		next = await(e, "that f is called for a room that is due when its owner lapses, which next did not foresee", asked)
	}
	cancel()
	await(e, "the end of Notify", done)
}

// f is never called twice at once, and what changes while it runs is told afterwards.
func testNotifyDuring(e *env) {
	other := e.open()
	o := e.join(other, 0)
	ctx, cancel := context.WithCancel(e.Context())
	var running atomic.Int32
	entered, resume := make(chan struct{}), make(chan struct{})
	told, done := e.watch(ctx, e.s, func() {
		if running.Add(1) > 1 {
			e.Error("f is called while it runs")
		}
		select {
		case entered <- struct{}{}:
			<-resume
		case <-ctx.Done():
		}
		running.Add(-1)
	})
	await(e, "the first call of f", entered)
	for i := range 5 {
		e.asleep(other, o, store.Key{Kind: "chat", Name: string(rune('a' + i))}, e.now)
	}
	e.settle()
	if len(told) != 0 {
		e.Error("f returned before it could")
	}
	resume <- struct{}{}
	await(e, "another call of f, for what changed during the first", entered)
	cancel()
	close(resume)
	await(e, "the end of Notify", done)
}

func testNotifyContext(e *env) {
	ctx, cancel := context.WithCancel(e.Context())
	told, done := e.watch(ctx, e.s, func() {})
	await(e, "the first call of f", told)
	cancel()
	if err := await(e, "the end of Notify", done); !errors.Is(err, context.Canceled) {
		e.Errorf("Notify returned %v, want the error of its context", err)
	}
	// The handle is as good as before.
	e.join(e.s, ttl)
	ctx, cancel = context.WithCancel(e.Context())
	told, done = e.watch(ctx, e.s, func() {})
	await(e, "the first call of f", told)
	cancel()
	await(e, "the end of Notify", done)
}

func testNotifyClose(e *env) {
	s := e.open()
	told, done := e.watch(e.Context(), s, func() {})
	await(e, "the first call of f", told)
	if err := s.Close(); err != nil {
		e.Fatal(err)
	}
	if err := await(e, "the end of Notify", done); !errors.Is(err, store.ErrClosed) {
		e.Errorf("Notify returned %v, want ErrClosed", err)
	}
}

func testNotifyClosed(e *env) {
	s := e.open()
	n := e.notifier(s)
	if err := s.Close(); err != nil {
		e.Fatal(err)
	}
	if err := n.Notify(e.Context(), func() { e.Error("f is called on a closed store") }); !errors.Is(err, store.ErrClosed) {
		e.Errorf("Notify after Close returned %v, want ErrClosed", err)
	}
}
