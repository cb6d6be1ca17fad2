package store_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
)

func benchmarkOwner(b *testing.B, s store.Store) store.OwnerID {
	b.Helper()
	o, err := s.Join(context.Background(), store.Owner{}, 0)
	if err != nil {
		b.Fatal(err)
	}
	return o.ID
}

// BenchmarkMemorySave saves a part and a record of each room, and trims its log, as a room with resume does.
func BenchmarkMemorySave(b *testing.B) {
	for _, rooms := range []int{1, 100} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) {
			m := store.NewMemory()
			owner := benchmarkOwner(b, m)
			batches := make([]store.Batch, rooms)
			data := make([]byte, 200)
			for i := range batches {
				r := acquire(b, m, owner, store.Key{Kind: "chat", Name: fmt.Sprint("room-", i)})
				batches[i] = store.Batch{
					Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: data}},
					Append: []store.Append{{Log: "pushes", Record: store.Record{Data: data[:100]}}}, Trim: []store.Trim{{Log: "pushes"}},
				}
			}
			b.ReportAllocs()
			var seq uint64
			for b.Loop() {
				seq++
				for i := range batches {
					batches[i].Append[0].Seq = seq
					batches[i].Trim[0].Before = max(seq, 64) - 64
				}
				for _, err := range m.Save(context.Background(), batches) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rooms), "ns/room")
		})
	}
}

// BenchmarkMemoryCycle acquires a room among many that sleep, and lets it sleep again with another time to wake.
func BenchmarkMemoryCycle(b *testing.B) {
	m := store.NewMemory()
	owner := benchmarkOwner(b, m)
	const n = 200_000
	sleeping(b, m, owner, n)
	now := time.Now()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % n
		r := acquire(b, m, owner, sleepingKey(i))
		save(b, m, store.Batch{Key: r.Key, Epoch: r.Epoch, Wake: now.Add(time.Duration(i*31%n) * time.Second), Then: store.Release})
	}
}

// BenchmarkMemoryDue asks for 10 rooms of many that sleep.
func BenchmarkMemoryDue(b *testing.B) {
	m := store.NewMemory()
	sleeping(b, m, benchmarkOwner(b, m), 200_000)
	now := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if due, _, err := m.Due(context.Background(), now, 10); err != nil || len(due) != 10 {
			b.Fatal(due, err)
		}
	}
}

// BenchmarkMemorySleeping reports what a sleeping room takes beyond the bytes of its name and parts.
func BenchmarkMemorySleeping(b *testing.B) {
	const n = 200_000
	for b.Loop() {
		before := heap()
		m := store.NewMemory()
		bytes := sleeping(b, m, benchmarkOwner(b, m), n)
		b.ReportMetric(float64(heap()-before-bytes)/n, "B/room")
		b.ReportMetric(float64(bytes)/n, "data-B/room")
		runtime.KeepAlive(m)
	}
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func sleepingKey(i int) store.Key { return store.Key{Kind: "chat", Name: fmt.Sprintf("room-%09d", i)} }

// sleeping makes n rooms with a part of 112 bytes and a time to wake, and returns how many bytes they have.
func sleeping(b *testing.B, m *store.Memory, owner store.OwnerID, n int) (bytes int64) {
	b.Helper()
	data := make([]byte, 112)
	now := time.Now()
	for i := range n {
		// In no order.
		k := sleepingKey(i * 7919 % n)
		r := acquire(b, m, owner, k)
		save(b, m, store.Batch{
			Key: k, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: data}},
			Wake: now.Add(time.Duration(i) * time.Millisecond), Then: store.Release,
		})
		bytes += int64(len(k.Name) + len(data))
	}
	return bytes
}
