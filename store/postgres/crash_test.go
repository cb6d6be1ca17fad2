package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// The server is killed under load, twice. Calls fail meanwhile, and are made again; what was acknowledged is there in the end.
func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	const writers, roomsEach = 4, 5
	server := postgrestest.Start(t)
	url := server.Database(t)
	var failures atomic.Int64
	var acknowledged [writers]atomic.Uint64 // the last number of each writer's batches
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		s := open(t, url, &postgres.Options{MaxConns: 2, Logger: quiet})
		o, err := s.Join(t.Context(), store.Owner{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var batches []store.Batch
		for i := range roomsEach {
			key := store.Key{Kind: "chat", Name: fmt.Sprint(w, "-", i)}
			r, err := s.Acquire(t.Context(), o.ID, key)
			if err != nil {
				t.Fatal(err)
			}
			batches = append(batches, store.Batch{Key: key, Epoch: r.Epoch})
		}
		wg.Go(func() {
			for number := uint64(1); ; number++ {
				data := []byte(strconv.FormatUint(number, 10))
				for i := range batches {
					b := &batches[i]
					b.Number = number
					b.Put = []store.Part{{Name: "state", Data: data}, {Name: "other", Data: data}}
					b.Append = []store.Append{{Log: "log", Record: store.Record{Seq: number, Data: data}}}
				}
				// The same batches until it is known that they are saved.
				for !saveAll(t, s, batches, &failures) {
					select {
					case <-stop:
						return
					case <-time.After(10 * time.Millisecond):
					}
				}
				acknowledged[w].Store(number)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	progress := func(what string) {
		t.Helper()
		var from [writers]uint64
		for w := range from {
			from[w] = acknowledged[w].Load()
		}
		eventually(t, what, func() bool {
			for w := range from {
				if acknowledged[w].Load() < from[w]+5 {
					return false
				}
			}
			return true
		})
	}
	progress("saves")
	for range 2 {
		before := failures.Load()
		server.Kill(t)
		eventually(t, "saves fail while there is no server", func() bool { return failures.Load() > before })
		server.Start(t)
		progress("saves after the server is there again")
	}
	server.Kill(t)
	close(stop)
	wg.Wait()
	server.Start(t)

	s := open(t, url, &postgres.Options{Logger: quiet})
	for w := range writers {
		last := acknowledged[w].Load()
		for i := range roomsEach {
			r, err := s.Load(t.Context(), store.Key{Kind: "chat", Name: fmt.Sprint(w, "-", i)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := strconv.ParseUint(string(r.Parts["state"]), 10, 64)
			if err != nil || got < last {
				t.Errorf("room %s: its state is that of save %q, of which %d was acknowledged", r.Key, r.Parts["state"], last)
			}
			// A batch is there as a whole.
			if string(r.Parts["other"]) != string(r.Parts["state"]) || uint64(len(r.Logs["log"])) != got {
				t.Errorf("room %s: state of save %d, other part of %s, %d records", r.Key, got, r.Parts["other"], len(r.Logs["log"]))
			}
			for n, rec := range r.Logs["log"] {
				if rec.Seq != uint64(n+1) || string(rec.Data) != strconv.Itoa(n+1) {
					t.Fatalf("room %s: record %d is number %d, with %q", r.Key, n, rec.Seq, rec.Data)
				}
			}
		}
	}
}

// saveAll says whether all batches are saved.
func saveAll(t *testing.T, s *postgres.Store, batches []store.Batch, failures *atomic.Int64) bool {
	for i, err := range s.Save(context.WithoutCancel(t.Context()), batches) {
		if errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrStale) {
			t.Errorf("batch %d of %s: %v", batches[i].Number, batches[i].Key, err)
		}
		if err != nil {
			failures.Add(1)
			return false
		}
	}
	return true
}

// A call that the database keeps waiting ends with CallTimeout, there too, and can be made again.
func TestCallsEndAfterTheirTime(t *testing.T) {
	l := newLab(t)
	batch := l.batches(1)[0]
	batch.Put = []store.Part{{Name: "state", Data: []byte("a")}}
	hasty := open(t, l.url, &postgres.Options{CallTimeout: 300 * time.Millisecond, Logger: quiet})
	unlock := l.server.Hold(t, l.url, "SELECT FROM socka.rooms FOR UPDATE")
	err := hasty.Save(t.Context(), []store.Batch{batch})[0]
	if err == nil || errors.Is(err, store.ErrFenced) || !strings.Contains(err.Error(), "saving 1 rooms, which may have been done or not") {
		t.Errorf("Save of a locked room: %v", err)
	}
	eventually(t, "the server has given up, too", func() bool { return waiting(l) == 0 })
	unlock()
	l.save(batch)
	if got := l.load(batch.Key).Parts["state"]; string(got) != "a" {
		t.Errorf("the room has %q", got)
	}
}

// waiting is how many sessions wait for a lock.
func waiting(l *lab) int {
	l.Helper()
	n, err := strconv.Atoi(l.server.Exec(l, l.url, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
	if err != nil {
		l.Fatal(err)
	}
	return n
}

// Leases have a connection of their own: they are renewed while every other one waits.
func TestRenewDoesNotWaitForSaves(t *testing.T) {
	l := newLab(t)
	batch := l.batches(1)[0]
	s := open(t, l.url, &postgres.Options{MaxConns: 1, Logger: quiet})
	unlock := l.server.Hold(t, l.url, "SELECT FROM socka.rooms FOR UPDATE")
	saved := make(chan error, 1)
	go func() { saved <- s.Save(context.WithoutCancel(t.Context()), []store.Batch{batch})[0] }()
	eventually(t, "Save waits", func() bool { return waiting(l) == 1 })
	if err := s.Renew(t.Context(), l.owner); err != nil {
		t.Errorf("Renew: %v", err)
	}
	select {
	case err := <-saved:
		t.Errorf("Save did not wait: %v", err)
	default:
	}
	unlock()
	if err := <-saved; err != nil {
		t.Errorf("Save: %v", err)
	}
}

// A connection to a server that has become one that takes no writes is not kept.
func TestReadOnlyConnectionsAreLeft(t *testing.T) {
	l := newLab(t)
	batch := l.batches(1)[0]
	s := open(t, l.url, &postgres.Options{MaxConns: 1, Logger: quiet})
	if _, err := s.Query(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), []store.Batch{batch})[0]; err == nil || !strings.Contains(err.Error(), "read-only transaction") {
		t.Errorf("Save on a connection that takes no writes: %v", err)
	}
	if err := s.Save(t.Context(), []store.Batch{batch})[0]; err != nil {
		t.Errorf("Save after that: %v", err)
	}
}
