package postgres_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/postgres/postgrestest"
	"github.com/jackc/pgx/v5"
)

// notified returns what is told on the channel of a schema, until the test ends.
func notified(t *testing.T, url, schema string) <-chan string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "LISTEN "+schema); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	told, done := make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(done)
		for {
			n, err := conn.WaitForNotification(ctx)
			if err != nil {
				conn.Close(context.WithoutCancel(ctx))
				return
			}
			told <- n.Payload
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return told
}

// next returns what comes next.
func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("waited for a minute in vain: %s", what)
		panic("unreachable")
	}
}

// watch runs Notify until the test ends, and returns a channel that has something after f was called.
func watch(t *testing.T, s *postgres.Store) <-chan struct{} {
	t.Helper()
	called, done := make(chan struct{}, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		done <- s.Notify(ctx, func() {
			select {
			case called <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return called
}

func TestNotifyConnectsAgain(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	url := server.Database(t)
	s := open(t, url, &postgres.Options{Logger: quiet})
	called := watch(t, s)
	next(t, "the first call of f", called)
	server.Stop(t)
	server.Start(t)
	next(t, "a call of f once there is a connection again", called)
	// It is as good as the first.
	other := open(t, url, &postgres.Options{Logger: quiet})
	if _, err := other.Join(t.Context(), store.Owner{}, 0); err != nil {
		t.Fatal(err)
	}
	next(t, "a call of f after Join", called)
}

func TestNotifyWaitsForTheDatabase(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	s := open(t, server.Database(t), &postgres.Options{Logger: quiet})
	server.Stop(t)
	called := watch(t, s)
	server.Start(t)
	next(t, "the first call of f", called)
}

// asleep releases a room that wants to be woken.
func asleep(t *testing.T, s *postgres.Store, owner store.OwnerID, name string, wake time.Time) {
	t.Helper()
	key := store.Key{Kind: "chat", Name: name}
	r, err := s.Acquire(t.Context(), owner, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), []store.Batch{{Key: key, Epoch: r.Epoch, Wake: wake, Then: store.Release}})[0]; err != nil {
		t.Fatal(err)
	}
}

func TestWakesAreGatheredAndTold(t *testing.T) {
	url := postgrestest.Shared(t).Database(t)
	s := open(t, url, &postgres.Options{Logger: quiet})
	o, err := s.Join(t.Context(), store.Owner{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	told := notified(t, url, "socka")
	// Far ones: the earliest of them.
	const rooms = 50
	far := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	for i := range rooms {
		asleep(t, s, o.ID, strconv.Itoa(i), far.Add(time.Duration(rooms-i)*time.Second))
	}
	earliest := "wake " + strconv.FormatInt(far.Add(time.Second).UnixMicro(), 10)
	n := 1
	for next(t, "the earliest wake is told", told) != earliest {
		n++
	}
	if n > rooms/2 {
		t.Errorf("%d rooms released one after the other were told of %d times", rooms, n)
	}
	// A near one, though it is not the earliest that was told.
	near := time.Now().Truncate(time.Microsecond)
	asleep(t, s, o.ID, "near", near)
	if got, want := next(t, "a near wake is told", told), "wake "+strconv.FormatInt(near.UnixMicro(), 10); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	// One that is kept as it was, and one that a room without owner gets.
	asleep(t, s, o.ID, "none", time.Time{})
	key := store.Key{Kind: "chat", Name: "near"}
	r, err := s.Acquire(t.Context(), o.ID, key)
	if err != nil {
		t.Fatal(err)
	}
	batch := store.Batch{Key: key, Epoch: r.Epoch, Keep: true}
	for _, then := range []store.Then{store.Release, store.Hold} {
		batch.Then = then
		if err := s.Save(t.Context(), []store.Batch{batch})[0]; err != nil {
			t.Fatal(err)
		}
		if got, want := next(t, "a kept wake is told", told), "wake "+strconv.FormatInt(near.UnixMicro(), 10); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
}

func TestWakesAreToldBeforeClose(t *testing.T) {
	url := postgrestest.Shared(t).Database(t)
	s := open(t, url, &postgres.Options{Logger: quiet})
	o, err := s.Join(t.Context(), store.Owner{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	told := notified(t, url, "socka")
	far := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	asleep(t, s, o.ID, "lobby", far)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := next(t, "a wake is told", told), "wake "+strconv.FormatInt(far.UnixMicro(), 10); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// What could not be told is told again.
func TestWakesAreToldThoughConnectionsBreak(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	s := open(t, url, &postgres.Options{Logger: quiet})
	if _, err := s.Owners(t.Context()); err != nil { // makes a connection
		t.Fatal(err)
	}
	told := notified(t, url, "socka")
	if n := server.Exec(t, url, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'socka' AND datname = current_database()"); n == "0" {
		t.Fatal("the store has no connection that could break")
	}
	s.Tell(1)
	if got := next(t, "a wake is told", told); got != "wake 1" {
		t.Errorf("told %q, want that of the wake", got)
	}
}

func TestChangesOfOwnersAreTold(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	s := open(t, url, &postgres.Options{Logger: quiet})
	told := notified(t, url, "socka")
	o, err := s.Join(t.Context(), store.Owner{}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	next(t, "Join is told", told)
	renew := func() {
		t.Helper()
		if err := s.Renew(t.Context(), o.ID); err != nil {
			t.Fatal(err)
		}
	}
	renew() // nothing new
	server.Exec(t, url, "UPDATE socka.owners SET expires = expires - "+micros(2*time.Hour)+"; NOTIFY socka, 'between'")
	if got := next(t, "what comes after a Renew", told); got != "between" {
		t.Errorf("told %q after a Renew of a lease that had not ended", got)
	}
	renew()
	next(t, "Renew of a lease that had ended is told", told)
	for range 2 { // the second does nothing
		if err := s.Leave(t.Context(), o.ID); err != nil {
			t.Fatal(err)
		}
	}
	server.Exec(t, url, "NOTIFY socka, 'end'")
	if first, second := next(t, "Leave is told", told), next(t, "the end", told); first != "owners" || second != "end" {
		t.Errorf("told %q and %q after Leave twice, want it once", first, second)
	}
}

// Only wakes that Due has not foreseen are passed on.
func TestWakesThatAreForeseen(t *testing.T) {
	url := postgrestest.Shared(t).Database(t)
	s := open(t, url, &postgres.Options{Logger: quiet})
	if !s.Told(1 << 60) {
		t.Error("a wake is kept back before Due was ever asked")
	}
	o, err := s.Join(t.Context(), store.Owner{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMicro(time.Now().UnixMicro())
	wake := now.Add(time.Hour)
	asleep(t, s, o.ID, "lobby", wake)
	if _, next, err := s.Due(t.Context(), now, 10); err != nil || !next.Equal(wake) {
		t.Fatalf("Due: next %v (%v), want %v", next, err, wake)
	}
	for after, want := range map[time.Duration]bool{-time.Microsecond: true, 0: false, time.Second: false} {
		if got := s.Told(wake.Add(after).UnixMicro()); got != want {
			t.Errorf("a wake %v after the one that is foreseen is passed on: %v, want %v", after, got, want)
		}
	}
	asleep(t, s, o.ID, "lobby", time.Time{})
	if _, _, err := s.Due(t.Context(), now, 10); err != nil {
		t.Fatal(err)
	}
	if !s.Told(wake.UnixMicro()) {
		t.Error("a wake is kept back though none is foreseen any more")
	}
}

func TestLostConnectionsOfNotifyAreLogged(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	log := new(logBuffer)
	s := open(t, server.Database(t), &postgres.Options{Logger: log.logger()})
	called := watch(t, s)
	next(t, "the first call of f", called)
	server.Stop(t)
	eventually(t, "the loss is logged", func() bool { return strings.Contains(log.String(), "there is no connection") })
	server.Start(t)
	next(t, "a call of f", called)
	if text := log.String(); strings.Count(text, "there is no connection") != 1 || !strings.Contains(text, "is there again") {
		t.Errorf("want one line for the loss, and one for the return:\n%s", text)
	}
}
