//go:build linux

package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gosocka/socka/store"
)

// A process that is killed has lapsed at once, whatever its lease.
func TestKilledProcess(t *testing.T) {
	path := newPath(t)
	clock := new(testClock)
	s := openTest(t, path, clock)
	c := start(t, nil, "hold", path, "one", "lingers", "two")
	id := store.OwnerID(c.expect("holds"))
	mine := joinTest(t, s)
	wantHeld(t, s, mine, "one")
	if ids := ownerIDs(t, s); !slices.Equal(ids, []store.OwnerID{id, mine}) {
		t.Fatalf("Owners: %q, want %q and %q", ids, id, mine)
	}
	if names, _ := dueNames(t, s, time.Now()); len(names) != 0 {
		t.Fatalf("due while their owner lives: %q", names)
	}
	c.kill()
	if ids := ownerIDs(t, s); !slices.Equal(ids, []store.OwnerID{mine}) {
		t.Fatalf("Owners after the process was killed: %q, want %q", ids, mine)
	}
	acquireTest(t, s, mine, "two")
	// Linger counts from when it was noticed, which is now, and no handle that comes later changes that.
	if names, next := dueNames(t, s, time.Now()); len(names) != 0 || next.After(time.Now()) {
		t.Fatalf("when it is noticed: due %q, next %v; want next to be now", names, next)
	}
	names, next := dueNames(t, s, time.Now())
	if !slices.Equal(names, []string{"one"}) {
		t.Fatalf("due after the process was killed: %q, want one alone", names)
	}
	lingers := time.Until(next)
	if lingers <= 29*time.Minute || lingers > 30*time.Minute {
		t.Fatalf("the room that lingers for half an hour is due in %v", lingers)
	}
	clock.advance(5 * time.Minute)
	if _, again := dueNames(t, openTest(t, path, clock), clock.clock().wall()); !again.Equal(next) {
		t.Fatalf("asked again, another time, the room is due at %v, want %v", again, next)
	}
	if names, _ := dueNames(t, s, next); !slices.Contains(names, "lingers") {
		t.Fatalf("half an hour later these are due: %q", names)
	}
	// A killed owner is gone for good, so nothing of it is left when its rooms have others.
	for _, name := range []string{"one", "lingers"} {
		acquireTest(t, s, mine, name)
	}
	clock.advance(25 * time.Hour)
	joinTest(t, s)
	if err := s.Renew(t.Context(), id); !errors.Is(err, store.ErrLapsed) {
		t.Fatalf("Renew of an owner that was killed yesterday: %v, want ErrLapsed", err)
	}
}

// A process that is stopped keeps its lock, and its lease ends by time.
func TestStoppedProcess(t *testing.T) {
	path := newPath(t)
	clock := new(testClock)
	s := openTest(t, path, clock)
	c := start(t, nil, "hold", path, "one")
	id := store.OwnerID(c.expect("holds"))
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	mine := joinTest(t, s)
	wantHeld(t, s, mine, "one")
	clock.advance(time.Hour + store.Margin(time.Hour) + time.Second)
	if slices.Contains(ownerIDs(t, s), id) {
		t.Fatal("the owner of a stopped process is listed after its lease has ended")
	}
	acquireTest(t, s, mine, "one")
	if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.end()
}

// What was acknowledged is there after the process was killed, while another wrote to the same file.
func TestKilledWhileSaving(t *testing.T) {
	path := newPath(t)
	s := openTest(t, path, new(testClock))
	mine := joinTest(t, s)
	r := acquireTest(t, s, mine, "mine")
	c := start(t, nil, "save", path, "theirs")
	seq := 0
	for range 100 {
		if got := c.expect("saved"); got != fmt.Sprint(seq+1) {
			t.Fatalf("record %s was acknowledged after record %d", got, seq)
		}
		seq++
		record := store.Append{Log: "log", Record: store.Record{Seq: uint64(seq), Data: []byte("record")}}
		save(t, s, []store.Batch{{Key: r.Key, Epoch: r.Epoch, Append: []store.Append{record}}})
	}
	c.cmd.Process.Kill()
	for c.lines.Scan() { // what it said before
		if _, err := fmt.Sscanf(c.lines.Text(), "saved %d", &seq); err != nil {
			t.Fatal(err)
		}
	}
	c.cmd.Wait()
	for name, want := range map[string]int{"mine": 100, "theirs": seq} {
		got, err := s.Load(t.Context(), chat(name))
		if err != nil {
			t.Fatal(err)
		}
		// One more may have been committed and not acknowledged.
		if n := len(got.Logs["log"]); n < want || n > want+1 {
			t.Errorf("%s has %d records, of which %d were acknowledged", name, n, want)
		}
		for i, rec := range got.Logs["log"] {
			if rec.Seq != uint64(i+1) {
				t.Fatalf("%s: record %d is in the place of %d", name, rec.Seq, i+1)
			}
		}
	}
	acquireTest(t, s, mine, "theirs")
}

// loseLocks does to a handle what the kernel does when its process ends.
func loseLocks(t *testing.T, s *Store) {
	t.Helper()
	l := s.locks
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := range l.held {
		if _, err := l.set(at, unix.F_UNLCK); err != nil {
			t.Fatal(err)
		}
	}
	clear(l.held)
}

// Handles of one process see each other's locks, and one that is closed leaves its owners until their leases end.
func TestLocksOfHandles(t *testing.T) {
	path := newPath(t)
	clock := new(testClock)
	a, b := openTest(t, path, clock), openTest(t, path, clock)
	ofA, ofB := joinTest(t, a), joinTest(t, b)
	acquireTest(t, a, ofA, "one")
	wantHeld(t, b, ofB, "one")
	wantHeld(t, a, ofB, "one")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, b, ofB, "one")
	// A handle that dies: the kernel drops its locks.
	c := openTest(t, path, clock)
	ofC := joinTest(t, c)
	acquireTest(t, c, ofC, "two")
	wantHeld(t, b, ofB, "two")
	loseLocks(t, c)
	acquireTest(t, b, ofB, "two")
	// Who renews an owner whose lock is gone takes that up.
	if names, _ := dueNames(t, b, time.Now()); len(names) != 0 {
		t.Fatalf("due: %q", names)
	}
	if slices.Contains(ownerIDs(t, b), ofC) {
		t.Fatal("an owner without its lock is listed")
	}
	if err := b.Renew(t.Context(), ofC); err != nil {
		t.Fatal(err)
	}
	if ids := ownerIDs(t, openTest(t, path, clock)); !slices.Contains(ids, ofC) {
		t.Fatalf("Owners after a renewal: %q, want %q among them", ids, ofC)
	}
	acquireTest(t, b, ofC, "three")
	wantHeld(t, openTest(t, path, clock), ofB, "three")
}

// Nothing of another boot runs.
func TestReboot(t *testing.T) {
	path := newPath(t)
	clock := new(testClock)
	s := openTest(t, path, clock)
	forever, err := s.Join(t.Context(), store.Owner{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	timed := joinTest(t, s)
	start := clock.clock().wall()
	for name, o := range map[string]store.OwnerID{"forever": forever.ID, "timed": timed} {
		r := acquireTest(t, s, o, name)
		save(t, s, []store.Batch{{Key: r.Key, Epoch: r.Epoch, Linger: 3 * time.Hour}})
	}
	clock.advance(2 * time.Hour)
	reboot := clock.clock()
	reboot.id, reboot.since = "another boot", func() int64 { return int64(time.Second) }
	after, err := open(path, nil, reboot)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	mine := joinTest(t, after)
	if ids := ownerIDs(t, after); !slices.Equal(ids, []store.OwnerID{mine}) {
		t.Fatalf("Owners after a reboot: %q, want %q alone", ids, mine)
	}
	if names, _ := dueNames(t, after, reboot.wall()); len(names) != 0 {
		t.Fatalf("due at once after a reboot: %q", names)
	}
	// The lease of one ended an hour ago by the wall clock; of the other it is known only that it is over.
	names, next := dueNames(t, after, start.Add(4*time.Hour+time.Minute))
	if !slices.Equal(names, []string{"timed"}) {
		t.Fatalf("due 3 hours after the lease's end: %q, want timed", names)
	}
	if d := next.Sub(start); d < 5*time.Hour || d > 5*time.Hour+time.Minute {
		t.Fatalf("the room of the owner without an end is due %v after the beginning, want 5 hours", d)
	}
	acquireTest(t, after, mine, "forever")
}
