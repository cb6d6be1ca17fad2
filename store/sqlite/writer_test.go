package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gosocka/socka/store"
)

// lockFile has another connection write, as another process may, until unlock is called.
func lockFile(t *testing.T, s *Store) (unlock func()) {
	t.Helper()
	c, err := openConn(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := retry(func() error { return c.db.Exec(`BEGIN IMMEDIATE`) }); err != nil {
		t.Fatal(err)
	}
	unlock = sync.OnceFunc(func() {
		if err := errors.Join(c.db.Exec(`COMMIT`), c.close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(unlock)
	return unlock
}

// together does what f does for 0 … n-1, each in a goroutine, so that the writer finds all of it in its queue at once.
func together(t *testing.T, s *Store, n int, f func(i int)) {
	t.Helper()
	unlock := lockFile(t, s)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	waitForQueue(t, s, n)
	unlock()
	wg.Wait()
}

func waitForQueue(t *testing.T, s *Store, n int) {
	t.Helper()
	for {
		s.write.mu.Lock()
		got := len(s.write.queue)
		s.write.mu.Unlock()
		if got == n {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("%d jobs wait, want %d", got, n)
		}
		runtime.Gosched()
	}
}

// fill acquires rooms and gives batches that save a part of each.
func fill(t testing.TB, s *Store, o store.OwnerID, rooms int) []store.Batch {
	t.Helper()
	batches := make([]store.Batch, rooms)
	for i := range batches {
		r := acquireTest(t, s, o, fmt.Sprint("room", i))
		batches[i] = store.Batch{Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: []byte("saved")}}}
	}
	return batches
}

func TestGroupCommit(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	const n = 40
	batches := fill(t, s, o, n)
	commits := countCommits(t, s)
	together(t, s, n+2, func(i int) {
		switch i {
		case n:
			if err := s.Renew(t.Context(), o); err != nil {
				t.Error(err)
			}
		case n + 1:
			if _, err := s.Join(t.Context(), store.Owner{}, 0); err != nil {
				t.Error(err)
			}
		default:
			if err := s.Save(t.Context(), batches[i:i+1])[0]; err != nil {
				t.Error(err)
			}
		}
	})
	if got := commits(); got != 1 {
		t.Errorf("%d calls at once were committed in %d transactions, want 1", n+2, got)
	}
}

// Very many steps at once are several transactions.
func TestGroupsAreBounded(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	batches := fill(t, s, joinTest(t, s), 20)
	for i := range batches {
		batches[i].Put[0].Data = make([]byte, 1<<20)
	}
	commits := countCommits(t, s)
	save(t, s, batches)
	if got := commits(); got != 3 {
		t.Errorf("20 MiB were committed in %d transactions, want 3 of at most 8 MiB", got)
	}
}

// Neither a batch that is fenced nor one that cannot be carried out spoils others of its transaction.
func TestOneFailsAlone(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	const n = 12
	batches := fill(t, s, o, n)
	execTest(t, s, `CREATE TRIGGER poison BEFORE INSERT ON parts WHEN new.name = 'poison' BEGIN SELECT RAISE(ABORT, 'poisoned'); END`)
	acquireTest(t, s, o, "room3")
	batches[7].Put = append(batches[7].Put, store.Part{Name: "poison"})
	errs := make([]error, n)
	together(t, s, n, func(i int) { errs[i] = s.Save(t.Context(), batches[i:i+1])[0] })
	for i, err := range errs {
		_, loaded := s.Load(t.Context(), batches[i].Key)
		switch i {
		case 3:
			if !errors.Is(err, store.ErrFenced) {
				t.Errorf("the fenced batch: %v", err)
			}
		case 7:
			if err == nil || errors.Is(err, store.ErrFenced) || !strings.Contains(err.Error(), "poisoned") {
				t.Errorf("the batch that cannot be carried out: %v", err)
			}
			if !errors.Is(loaded, store.ErrNotFound) {
				t.Errorf("half of the batch that cannot be carried out is there: %v", loaded)
			}
		default:
			if err := errors.Join(err, loaded); err != nil {
				t.Errorf("batch %d: %v", i, err)
			}
		}
	}
}

// A panic of the driver costs a connection, and fails the step that made it.
func TestPanic(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	batches := fill(t, s, joinTest(t, s), 5)
	before := s.write.c
	errs := make([]error, 6)
	together(t, s, 6, func(i int) {
		if i == 5 {
			errs[i] = s.write.one(t.Context(), func(c *conn) (error, error) {
				if err := c.on(qEpoch).int(0).exec(); err != nil {
					return nil, err
				}
				panic("out of memory")
			})
			return
		}
		errs[i] = s.Save(t.Context(), batches[i:i+1])[0]
	})
	if err := errs[5]; !errors.Is(err, errPanic) || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("the step that panicked: %v", err)
	}
	if err := errors.Join(errs[:5]...); err != nil {
		t.Errorf("the others: %v", err)
	}
	execTest(t, s, `SELECT 1`)
	if s.write.c == before {
		t.Error("the connection is used on after a panic")
	}
	err := s.read.do(t.Context(), "testing", func(*conn) error { panic("out of memory") })
	if !errors.Is(err, errPanic) {
		t.Errorf("a read that panics: %v", err)
	}
	for range maxReaders + 1 {
		if _, err := s.Load(t.Context(), batches[0].Key); err != nil {
			t.Fatal(err)
		}
	}
}

// A call whose context ends while another process has the file goes back at once, with nothing done; others wait on.
func TestCancelledWhileLocked(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	batches := fill(t, s, o, 2)
	unlock := lockFile(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	given, patient := make(chan error), make(chan error)
	go func() { given <- s.Save(ctx, batches[:1])[0] }()
	go func() { patient <- s.Save(t.Context(), batches[1:])[0] }()
	waitForQueue(t, s, 2)
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing was done") {
		t.Errorf("Save with a canceled context: %v", err)
	}
	// Reads do not wait.
	if _, err := s.Owners(t.Context()); err != nil {
		t.Error(err)
	}
	batches[0].Put = nil // it is ours again
	unlock()
	if err := <-patient; err != nil {
		t.Errorf("Save of one who waited: %v", err)
	}
	if r, err := s.Load(t.Context(), batches[0].Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what was canceled is there: %+v, %v", r, err)
	}
	// When everybody has gone, the writer rests.
	lockFile(t, s)
	ctx, cancel = context.WithCancel(t.Context())
	go func() { given <- s.Save(ctx, batches[:1])[0] }()
	waitForQueue(t, s, 1)
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// smallLog has checkpoints begin when the log has 200 pages, and returns batches that save 800 KiB.
func smallLog(t *testing.T, s *Store) []store.Batch {
	t.Helper()
	batches := fill(t, s, joinTest(t, s), 16)
	for i := range batches {
		batches[i].Put[0].Data = make([]byte, 50_000)
	}
	err := s.write.one(t.Context(), func(*conn) (error, error) {
		s.write.threshold, s.write.next = 200, 200
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return batches
}

// saveOften saves batches one by one, again and again, and returns how many pages the log had at most, and in the end.
func saveOften(t *testing.T, s *Store, batches []store.Batch, rounds int) (most, last int) {
	t.Helper()
	for round := range rounds {
		scramble(batches, round)
		for i := range batches {
			save(t, s, batches[i:i+1])
			if err := s.write.one(t.Context(), func(*conn) (error, error) { last = s.write.pages; return nil, nil }); err != nil {
				t.Fatal(err)
			}
			most = max(most, last)
		}
	}
	return most, last
}

// The write-ahead log begins anew while the load goes on, so that its file does not grow with what is written.
func TestLogIsBounded(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	batches := smallLog(t, s)
	const rounds, batchPages = 20, 16
	most, _ := saveOften(t, s, batches, rounds)
	const bound = maxTimes*200 + 2*batchPages
	if most > bound {
		t.Errorf("the log had %d pages when %d had been written, want at most %d", most, rounds*len(batches)*batchPages, bound)
	}
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if pages := info.Size() / 4096; pages > bound+bound/100 { // each has a header
		t.Errorf("the file of the log has %d pages, want at most %d", pages, bound)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is there after Close: %v", err)
	}
}

// A reader that keeps an old state keeps the log from beginning anew, and that is made up for afterwards.
func TestLogAfterALongReader(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	batches := smallLog(t, s)
	save(t, s, batches)
	reader, err := openConn(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.db.Exec(`BEGIN; SELECT count(*) FROM rooms`); err != nil {
		t.Fatal(err)
	}
	if _, last := saveOften(t, s, batches, 8); last <= maxTimes*200 {
		t.Errorf("the log began anew, at %d pages, while a reader needed what is in it", last)
	}
	if err := reader.close(); err != nil {
		t.Fatal(err)
	}
	if _, last := saveOften(t, s, batches, 8); last > maxTimes*200 {
		t.Errorf("the log has %d pages after the reader has gone", last)
	}
}

// execTest carries out a statement on the connection that writes.
func execTest(t testing.TB, s *Store, sql string) {
	t.Helper()
	if err := s.write.one(t.Context(), func(c *conn) (error, error) { return nil, c.db.Exec(sql) }); err != nil {
		t.Fatal(err)
	}
}
