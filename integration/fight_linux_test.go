package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/store"
)

// fighter is one of several processes at one store.
type fighter struct {
	*process
	place
	name string
}

// fighters starts a process for each name.
func fighters(t *testing.T, c childConfig, names ...string) (all []*fighter) {
	t.Helper()
	for _, name := range names {
		c.Owner = name
		f := &fighter{process: serveLedgers(t, c), name: name}
		f.place.set(f.process.addr)
		all = append(all, f)
	}
	return all
}

// enter connects to a room. It fails with the refusal if another process has the room.
func (f *fighter) enter(ctx context.Context, room string) (*client.Client, error) {
	c := f.client(kindEach + "/" + room + "?writer=" + f.name)
	f.t.Cleanup(func() { _ = c.Close() })
	return c, c.Connect(ctx)
}

// mustEnter connects to a room as soon as that is possible.
func (f *fighter) mustEnter(ctx context.Context, room string) (c *client.Client) {
	f.t.Helper()
	var err error
	if !holds(func() bool {
		if c, err = f.enter(ctx, room); err != nil {
			mustBeHeld(f.t, err, "")
		}
		return err == nil
	}) {
		f.t.Fatalf("%s never got room %s: %v", f.name, room, err)
	}
	return c
}

// mustBeHeld fails the test if an error of connecting is not the refusal of a room that another process has, with that
// one's name, if it is given.
func mustBeHeld(t testing.TB, err error, owner string) {
	t.Helper()
	var refused *client.HandshakeError
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(refused.Body), "is held by "+owner) {
		t.Fatalf("refused with %v, want 503 and the name of the owner, %s", err, owner)
	}
}

// write makes a call, which must succeed, and makes it again when it is told that it did not run: the machine may be too busy
// for a lease to be renewed in time.
func write(t testing.TB, c *client.Client, text string) (out written) {
	t.Helper()
	ctx := bounded(t)
	var err error
	eventually(t, text+" is written", func() bool {
		out, err = client.Call(ctx, c, writeIt, entry{text})
		return contract.CodeOf(err) != contract.Unavailable
	})
	if err != nil {
		t.Fatalf("writing %s: %v", text, err)
	}
	return out
}

func mustPage(t testing.TB, p *process, room string) page {
	t.Helper()
	out, err := p.page(kindEach, room)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// epoch is that of a room, as the store has it.
func epoch(t testing.TB, st store.Store, room string) store.Epoch {
	t.Helper()
	r, err := st.Load(bounded(t), store.Key{Kind: kindEach, Name: room})
	if err != nil {
		t.Fatal(err)
	}
	return r.Epoch
}

func openStore(t testing.TB, c childConfig) store.Store {
	t.Helper()
	st, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return st
}

// fightTTL is for processes that keep their rooms also on a machine that is busy.
const fightTTL = 2 * time.Second

// TestTwoProcessesFight has two processes want the same rooms at the same time: each room goes to one of them, and clients of
// the other are told which. After that one was killed the other has all its rooms, as they were, under higher epochs.
func TestTwoProcessesFight(t *testing.T) {
	eachStore(t, func(t *testing.T, config childConfig) {
		const rooms, writes = 20, 5
		config.LeaseTTL = fightTTL
		ctx := bounded(t)
		both := fighters(t, config, "first.test:1", "second.test:2")
		st := openStore(t, config)
		owners := make([]int, rooms)
		var fights sync.WaitGroup
		clients := make([]*client.Client, rooms)
		for i := range rooms {
			fights.Go(func() {
				name := fmt.Sprint("r", i)
				var errs [2]error
				var cs [2]*client.Client
				var racers sync.WaitGroup
				for side, f := range both {
					racers.Go(func() { cs[side], errs[side] = f.enter(ctx, name) })
				}
				racers.Wait()
				if errs[0] == nil {
					owners[i] = 0
				} else {
					owners[i] = 1
				}
				if winner, loser := owners[i], 1-owners[i]; errs[winner] != nil || errs[loser] == nil {
					t.Errorf("room %s: %s says %v, %s says %v; want one to have it", name, both[0].name, errs[0], both[1].name, errs[1])
					return
				}
				clients[i] = cs[owners[i]]
			})
		}
		fights.Wait()
		if t.Failed() {
			t.FailNow()
		}
		of := [2]int{}
		epochs := make([]store.Epoch, rooms)
		for i := range rooms {
			of[owners[i]]++
			name := fmt.Sprint("r", i)
			for n := range writes {
				write(t, clients[i], fmt.Sprintf("w%d-%d", i, n))
				_, err := both[1-owners[i]].enter(ctx, name)
				mustBeHeld(t, err, both[owners[i]].name)
			}
			epochs[i] = epoch(t, st, name)
		}
		t.Logf("%s has %d rooms, %s has %d", both[0].name, of[0], both[1].name, of[1])
		loser := 0
		if of[0] < of[1] {
			loser = 1 // it has more, and is killed
		}
		heir := both[1-loser]
		both[loser].kill()
		for i := range rooms {
			name := fmt.Sprint("r", i)
			c := heir.mustEnter(ctx, name)
			if out := write(t, c, fmt.Sprintf("w%d-%d", i, writes)); out.At != writes {
				t.Errorf("room %s: the next entry is number %d, want %d", name, out.At, writes)
			}
			want := ""
			for n := range writes + 1 {
				want += fmt.Sprintf("w%d-%d@0\n", i, n)
			}
			if p := mustPage(t, heir.process, name); p.Entries != want {
				t.Errorf("room %s: the heir has %q, want %q", name, p.Entries, want)
			}
			if now := epoch(t, st, name); owners[i] == loser && now <= epochs[i] || owners[i] != loser && now < epochs[i] {
				t.Errorf("room %s: its epoch was %d and is %d", name, epochs[i], now)
			}
		}
		heir.mustLive()
	})
}

// stop stops the process, but not while it has a SQLite file locked, which nobody could write then.
func (f *fighter) stop(st store.Store) {
	f.t.Helper()
	eventually(f.t, "the process is stopped and has nothing locked", func() bool {
		f.signal(syscall.SIGSTOP)
		ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
		defer cancel()
		o, err := st.Join(ctx, store.Owner{Addr: "probe"}, time.Minute)
		if err != nil {
			f.signal(syscall.SIGCONT)
			return false
		}
		if err := st.Leave(bounded(f.t), o.ID); err != nil {
			f.t.Fatal(err)
		}
		return true
	})
}

// TestStoppedProcess stops a process for longer than its lease, so that another one takes its room. When it goes on it has a
// call to answer: it tells its clients to come again, and neither acknowledges anything nor changes what the other has written.
func TestStoppedProcess(t *testing.T) {
	eachStore(t, func(t *testing.T, config childConfig) {
		config.LeaseTTL = fightTTL
		ctx := bounded(t)
		both := fighters(t, config, "stopped.test:1", "heir.test:2")
		stopped, heir := both[0], both[1]
		st := openStore(t, config)
		c, err := stopped.enter(ctx, "r")
		if err != nil {
			t.Fatal(err)
		}
		changes, cancel := c.Changes()
		defer cancel()
		write(t, c, "old-0")
		before := epoch(t, st, "r")
		stopped.stop(st)
		answer := make(chan error, 1)
		go func() {
			_, err := client.Call(ctx, c, writeIt, entry{"old-1"})
			answer <- err
		}()
		theirs := heir.mustEnter(ctx, "r")
		if out := write(t, theirs, "new-0"); out.At != 1 {
			t.Errorf("the heir's first entry is number %d, want 1", out.At)
		}
		if now := epoch(t, st, "r"); now <= before {
			t.Errorf("the epoch was %d and is %d", before, now)
		}
		stopped.signal(syscall.SIGCONT)
		if err := <-answer; err == nil {
			t.Error("the stopped process has acknowledged a call to a room that it has no more")
		} else if code := contract.CodeOf(err); code != contract.OutcomeUnknown && code != contract.Unavailable {
			t.Errorf("the call to the stopped process: %v", err)
		}
		select {
		case change := <-changes:
			if change.To != client.Reconnecting || change.Code != 4504 {
				t.Errorf("the stopped process's client: %+v, want a close with 4504", change)
			}
		case <-ctx.Done():
			t.Fatal("the stopped process has not closed the connections of a room that it has no more")
		}
		_, err = stopped.enter(ctx, "r")
		mustBeHeld(t, err, heir.name)
		write(t, theirs, "new-1")
		if p := mustPage(t, heir.process, "r"); p.Entries != "old-0@0\nnew-0@0\nnew-1@0\n" {
			t.Errorf("entries: %q", p.Entries)
		}
		stopped.mustLive()
	})
}
