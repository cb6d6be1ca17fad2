package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gosocka/socka/store"
)

// fillUp saves rooms until there is no space, and returns those that were acknowledged.
func fillUp(t *testing.T, s *Store, o store.OwnerID) (acknowledged []store.Key) {
	t.Helper()
	for i := range 1000 {
		r, err := s.Acquire(t.Context(), o, chat(fmt.Sprint("room", i)))
		if err == nil {
			err = s.Save(t.Context(), []store.Batch{{Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: content(i)}}}})[0]
		}
		if err != nil {
			if !isFull(err) || !strings.Contains(err.Error(), "the disk is full: free some space") {
				t.Fatalf("room %d: %v, want an error that says that the disk is full", i, err)
			}
			return acknowledged
		}
		acknowledged = append(acknowledged, r.Key)
	}
	t.Fatal("1000 rooms of 10,000 bytes found space")
	return nil
}

func content(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 10_000) }

// wantRecovered asserts that nothing that was acknowledged is lost, and that saves work again.
func wantRecovered(t *testing.T, s *Store, o store.OwnerID, acknowledged []store.Key) {
	t.Helper()
	for i, key := range acknowledged {
		r, err := s.Load(t.Context(), key)
		if err != nil || !bytes.Equal(r.Parts["state"], content(i)) {
			t.Fatalf("%s, which was acknowledged before the disk was full: %v", key, err)
		}
	}
	for i := range 5 {
		r := acquireTest(t, s, o, fmt.Sprint("later", i))
		save(t, s, []store.Batch{{Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: content(i)}}}})
	}
}

// A database that has reached its largest size is an error of the calls that would make it larger, and goes on when it may.
func TestDatabaseFull(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	execTest(t, s, `PRAGMA max_page_count = 100`)
	acknowledged := fillUp(t, s, o)
	// Of many at once those that need no space are carried out, and all have an answer.
	batches := fillAgain(t, s, o, acknowledged)
	errs := make([]error, len(batches))
	together(t, s, len(batches), func(i int) { errs[i] = s.Save(t.Context(), batches[i:i+1])[0] })
	for i, err := range errs {
		if small := i < 3; small && err != nil || !small && !isFull(err) {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	if err := s.Renew(t.Context(), o); err != nil {
		t.Errorf("Renew, which needs no space: %v", err)
	}
	execTest(t, s, `PRAGMA max_page_count = 10000`)
	wantRecovered(t, s, o, acknowledged)
}

// fillAgain makes batches for rooms that exist: three that need no space, and ten that need a lot.
func fillAgain(t *testing.T, s *Store, o store.OwnerID, keys []store.Key) []store.Batch {
	t.Helper()
	var batches []store.Batch
	for i := range 13 {
		r := acquireTest(t, s, o, keys[i].Name)
		b := store.Batch{Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: content(i)}}}
		if i >= 3 {
			b.Put = append(b.Put, store.Part{Name: "more", Data: make([]byte, 1<<20)})
		}
		batches = append(batches, b)
	}
	return batches
}

func TestManyFindNoSpace(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	batches := fill(t, s, o, 3*enoughFull)
	execTest(t, s, `PRAGMA max_page_count = 1`)
	for i := range batches {
		batches[i].Put[0].Data = make([]byte, 100_000)
	}
	attempts := 0
	counted := func(c *conn, i int) (error, error) {
		attempts++
		return s.save(c, &batches[i])
	}
	errs := s.write.do(t.Context(), len(batches), nil, counted)
	for i, err := range errs {
		if !isFull(err) {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	if attempts > enoughFull+1 {
		t.Errorf("%d steps were tried while there was no space, want at most %d", attempts, enoughFull+1)
	}
	execTest(t, s, `PRAGMA max_page_count = 10000`)
	save(t, s, batches)
	if err := errors.Join(s.Save(t.Context(), batches)...); err != nil {
		t.Error(err)
	}
}
