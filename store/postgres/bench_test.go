package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/postgres/postgrestest"
	"github.com/jackc/pgx/v5"
)

const (
	benchRooms    = 20_000
	benchTogether = 200
	benchBytes    = 300
)

// BenchmarkSave saves 300 bytes of each of 200 rooms, and beside each such call has the database do the least that it can do
// with these bytes: an upsert of 200 rows, as durable. It reports both times, those of the server's processor, and ratios.
func BenchmarkSave(b *testing.B) {
	for _, c := range []struct {
		name string
		fill func(*store.Batch, []byte)
	}{
		{"state", func(b *store.Batch, data []byte) { b.Put = []store.Part{{Name: "state", Data: data}} }},
		{"part", func(b *store.Batch, data []byte) { b.Put = []store.Part{{Name: "other", Data: data}} }},
		{"record", func(b *store.Batch, data []byte) {
			b.Append = []store.Append{{Log: "log", Record: store.Record{Seq: b.Number, Data: data}}}
			b.Trim = []store.Trim{{Log: "log", Before: b.Number}}
		}},
		{"wake", func(b *store.Batch, data []byte) {
			b.Put = []store.Part{{Name: "state", Data: data}}
			b.Wake = time.UnixMicro(int64(b.Number) * 1_000_000)
		}},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkSave(b, c.fill) })
	}
}

func benchmarkSave(b *testing.B, fill func(*store.Batch, []byte)) {
	server := postgrestest.Start(b)
	url := server.Database(b)
	s := open(b, url, &postgres.Options{MaxConns: 1, Logger: quiet})
	server.Exec(b, url, fmt.Sprintf(`
		INSERT INTO socka.rooms (id, epoch, owner, kind, name, state)
		SELECT i, i, 0, 'chat', convert_to('room' || i, 'UTF8'), convert_to(repeat('x', %[2]d), 'UTF8') FROM generate_series(1, %[1]d) i;
		INSERT INTO socka.parts (room, part, data) SELECT i, 'other', convert_to(repeat('x', %[2]d), 'UTF8') FROM generate_series(1, %[1]d) i;
		CREATE TABLE bare (kind bytea, name bytea, data bytea, PRIMARY KEY (kind, name)) WITH (fillfactor = 70);
		INSERT INTO bare SELECT kind, name, state FROM socka.rooms`, benchRooms, benchBytes))
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	barePID := int(conn.PgConn().PID())
	s.Save(ctx, nil)
	var savePID int
	var ours, bare, oursCPU, bareCPU time.Duration
	batches := make([]store.Batch, benchTogether)
	kinds, names, datas := make([][]byte, benchTogether), make([][]byte, benchTogether), make([][]byte, benchTogether)
	number := uint64(0)
	for b.Loop() {
		number++
		for i, n := range rand.Perm(benchRooms)[:benchTogether] {
			data := make([]byte, benchBytes)
			for j := range data {
				data[j] = byte(rand.Uint32())
			}
			batches[i] = store.Batch{Key: store.Key{Kind: "chat", Name: fmt.Sprint("room", n+1)}, Epoch: store.Epoch(n + 1), Number: number}
			fill(&batches[i], data)
			kinds[i], names[i], datas[i] = []byte("chat"), []byte(batches[i].Key.Name), data
		}
		cpu, start := processorTime(b, savePID), time.Now()
		for i, err := range s.Save(ctx, batches) {
			if err != nil {
				b.Fatalf("batch %d: %v", i, err)
			}
		}
		ours += time.Since(start)
		if savePID != 0 {
			oursCPU += processorTime(b, savePID) - cpu
		} else {
			savePID, _ = strconv.Atoi(server.Exec(b, url, "SELECT pid FROM pg_stat_activity WHERE query LIKE '%.save(%' AND pid <> pg_backend_pid()"))
		}
		cpu, start = processorTime(b, barePID), time.Now()
		_, err := conn.Exec(ctx, `INSERT INTO bare SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[])
			ON CONFLICT (kind, name) DO UPDATE SET data = excluded.data`, kinds, names, datas)
		if err != nil {
			b.Fatal(err)
		}
		bare += time.Since(start)
		bareCPU += processorTime(b, barePID) - cpu
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
	b.ReportMetric(0, "ns/op") // both together
	b.ReportMetric(per(ours), "µs/save")
	b.ReportMetric(per(bare), "µs/bare")
	b.ReportMetric(per(ours)/per(bare), "ratio")
	if bareCPU > 0 {
		b.ReportMetric(per(oursCPU), "cpu-µs/save")
		b.ReportMetric(per(bareCPU), "cpu-µs/bare")
		b.ReportMetric(per(oursCPU)/per(bareCPU), "cpu-ratio")
	}
}

// processorTime is the time for which a process has run; 0 where it is not known.
func processorTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	if pid == 0 {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0
	}
	nanos, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseInt(nanos, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n)
}
