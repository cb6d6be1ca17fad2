package sqlite

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gosocka/socka/store"
)

// benchStore has rooms that one owner has, with a part of size bytes each.
func benchStore(b *testing.B, rooms, size int) (*Store, []store.Batch) {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "rooms.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	o, err := s.Join(b.Context(), store.Owner{}, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Leave(b.Context(), o.ID) })
	batches := make([]store.Batch, rooms)
	var wg sync.WaitGroup
	const workers = 100
	for w := range workers {
		wg.Go(func() {
			for i := w; i < rooms; i += workers {
				key := store.Key{Kind: "chat", Name: fmt.Sprintf("room-%06d", i)}
				r, err := s.Acquire(b.Context(), o.ID, key)
				if err != nil {
					b.Error(err)
					return
				}
				batches[i] = store.Batch{Key: key, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: make([]byte, size)}}, Linger: -1}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	save(b, s, batches)
	return s, batches
}

// scramble changes something in every page of the first part of batches: SQLite does not write pages that stay as they are.
func scramble(batches []store.Batch, seed int) {
	for i := range batches {
		data := batches[i].Put[0].Data
		for k := 0; k < len(data); k += 1000 {
			data[k] = byte(seed + 1)
		}
	}
}

// countCommits counts the transactions that a handle commits from now on.
func countCommits(t testing.TB, s *Store) func() int64 {
	t.Helper()
	var n atomic.Int64
	n.Store(-1) // that of the next step
	err := s.write.one(t.Context(), func(c *conn) (error, error) {
		c.db.CommitHook(func() bool {
			n.Add(1)
			return true
		})
		return nil, c.on(qEpoch).int(0).exec() // a hook is not called for a transaction that writes nothing
	})
	if err != nil {
		t.Fatal(err)
	}
	return n.Load
}

func save(t testing.TB, s *Store, batches []store.Batch) {
	t.Helper()
	for i, err := range s.Save(t.Context(), batches) {
		if err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
	}
}

// An operation is the save of one room, in a call of its own.
func BenchmarkSaveOne(b *testing.B) {
	for _, size := range []int{300, 1 << 20} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			s, batches := benchStore(b, 20, size)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				scramble(batches[i%20:i%20+1], i)
				save(b, s, batches[i%20:i%20+1])
			}
		})
	}
}

// An operation is the save of one room, of 200 in one call.
func BenchmarkSaveMany(b *testing.B) {
	for _, rooms := range []int{200, 100_000} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) {
			s, batches := benchStore(b, rooms, 300)
			b.ReportAllocs()
			b.ResetTimer()
			at := 0
			for i := 0; i < b.N; i += 200 {
				save(b, s, batches[at:at+200])
				if at += 200; at == rooms {
					at = 0
				}
			}
		})
	}
}

// An operation is the save of one room by one of 200 goroutines at once.
func BenchmarkSaveConcurrently(b *testing.B) {
	s, batches := benchStore(b, 200, 300)
	b.ReportAllocs()
	b.ResetTimer()
	commits := countCommits(b, s)
	var wg sync.WaitGroup
	for w := range 200 {
		wg.Go(func() {
			for i := w; i < b.N; i += 200 {
				if err := s.Save(b.Context(), batches[w:w+1])[0]; err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/float64(commits()), "saves/commit")
}

func BenchmarkAcquireRelease(b *testing.B) {
	s, batches := benchStore(b, 20, 300)
	o, err := s.Join(b.Context(), store.Owner{}, 0)
	if err != nil {
		b.Fatal(err)
	}
	batch := batches[0]
	batch.Then = store.Release
	save(b, s, []store.Batch{batch})
	b.ReportAllocs()
	for b.Loop() {
		r, err := s.Acquire(b.Context(), o.ID, batch.Key)
		if err != nil {
			b.Fatal(err)
		}
		save(b, s, []store.Batch{{Key: batch.Key, Epoch: r.Epoch, Keep: true, Then: store.Release}})
	}
}

func BenchmarkLoad(b *testing.B) {
	s, batches := benchStore(b, 1000, 300)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Load(b.Context(), batches[i%1000].Key); err != nil {
			b.Fatal(err)
		}
	}
}
