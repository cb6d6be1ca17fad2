package sqlite

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gosocka/socka/store"
)

// Save is part of [store.Store]. Saves that come while others are written share a transaction with each other; very many
// batches at once are split among several. A part or a record is at most 64 MiB long.
func (s *Store) Save(ctx context.Context, batches []store.Batch) []error {
	errs := make([]error, len(batches))
	good := make([]int, 0, len(batches)) // which are carried out
	for i := range batches {
		if errs[i] = check(&batches[i]); errs[i] == nil {
			good = append(good, i)
		}
	}
	err := s.begin(ctx)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer s.calls.Done()
	if len(good) == 0 {
		return errs
	}
	saved := s.write.do(ctx, len(good),
		func(k int) int { return size(&batches[good[k]]) },
		func(c *conn, k int) (error, error) { return s.save(c, &batches[good[k]]) })
	for k, i := range good {
		errs[i] = saved[k]
	}
	return errs
}

// check says what is wrong with a batch.
func check(b *store.Batch) error {
	if err := store.CheckBatch(b); err != nil {
		return err
	}
	for i := range b.Put {
		if n := len(b.Put[i].Data); n > maxValueBytes {
			return fmt.Errorf("store/sqlite: room %s: part %q has %d bytes, at most %d are allowed", b.Key, b.Put[i].Name, n, maxValueBytes)
		}
	}
	for i := range b.Append {
		if n := len(b.Append[i].Data); n > maxValueBytes {
			return fmt.Errorf("store/sqlite: room %s: a record of log %q has %d bytes, at most %d are allowed", b.Key, b.Append[i].Log, n, maxValueBytes)
		}
	}
	return nil
}

// size is how many bytes a batch writes.
func size(b *store.Batch) int {
	n := 0
	for i := range b.Put {
		n += len(b.Put[i].Data)
	}
	for i := range b.Append {
		n += len(b.Append[i].Data)
	}
	return n
}

// saved is what a batch is held against.
type saved struct {
	id, epoch, batch, owner, wake, linger int64
}

// save carries out one batch.
func (s *Store) save(c *conn, b *store.Batch) (refused, err error) {
	var r saved
	q := c.on(qSaved).text(b.Key.Kind).text(b.Key.Name)
	for q.next() {
		r = saved{q.colInt(0), q.colInt(1), q.colInt(2), q.colInt(3), q.colOptional(4), q.colInt(5)}
	}
	if err := q.done(); err != nil {
		return nil, err
	}
	switch {
	case r.id == 0:
		return fmt.Errorf("%w: room %s is gone", store.ErrFenced, b.Key), nil
	case store.Epoch(r.epoch) != b.Epoch:
		return fmt.Errorf("%w: room %s has epoch %d, the batch %d", store.ErrFenced, b.Key, r.epoch, b.Epoch), nil
	case b.Number != 0 && b.Number < uint64(r.batch):
		return fmt.Errorf("%w: room %s has had batch %d, this is %d", store.ErrStale, b.Key, r.batch, b.Number), nil
	}
	if b.Then == store.Remove {
		return nil, c.remove(r.id)
	}
	if err := c.contents(r.id, b); err != nil {
		return nil, err
	}
	return nil, c.row(r, b, s.clock.wall().UnixMicro())
}

// contents writes parts and records.
func (c *conn) contents(room int64, b *store.Batch) error {
	for _, name := range b.Delete {
		if err := c.on(qDelete).int(room).text(name).exec(); err != nil {
			return err
		}
	}
	for i := range b.Put {
		if err := c.on(qPut).int(room).text(b.Put[i].Name).blob(b.Put[i].Data).exec(); err != nil {
			return err
		}
	}
	for _, t := range b.Trim {
		if t.Before == 0 {
			continue
		}
		if err := c.on(qTrim).int(room).text(t.Log).int(int64(min(t.Before-1, math.MaxInt64))).exec(); err != nil {
			return err
		}
	}
	for i := range b.Append {
		a := &b.Append[i]
		if err := c.on(qAppend).int(room).text(a.Log).int(int64(a.Seq)).blob(a.Data).exec(); err != nil {
			return err
		}
	}
	return nil
}

// row writes what a batch says of the room itself. Columns that indexes have are left alone if they do not change.
func (c *conn) row(r saved, b *store.Batch, now int64) error {
	was := r
	if b.Number != 0 {
		r.batch = int64(b.Number)
	}
	if !b.Keep {
		r.wake, r.linger = micros(b.Wake), int64(b.Linger)
	}
	if b.Then == store.Release {
		r.owner = 0
	}
	if r.wake == was.wake && r.linger == was.linger && r.owner == was.owner {
		return c.on(qTouch).int(r.id).int(now).int(r.batch).exec()
	}
	return c.on(qChange).int(r.id).int(now).int(r.batch).int(r.owner).optional(r.wake).int(r.linger).exec()
}

func (c *conn) remove(room int64) error {
	for _, q := range []*query{qRemoveParts, qRemoveLogs, qRemove} {
		if err := c.on(q).int(room).exec(); err != nil {
			return err
		}
	}
	return nil
}

func linger(ns int64) time.Duration { return time.Duration(ns) }

var (
	qSaved  = newQuery(`SELECT id, epoch, batch, owner, wake, linger FROM rooms WHERE kind = ?1 AND name = ?2`)
	qTouch  = newQuery(`UPDATE rooms SET updated = ?2, batch = ?3 WHERE id = ?1`)
	qChange = newQuery(`UPDATE rooms SET updated = ?2, batch = ?3, owner = ?4, wake = ?5, linger = ?6 WHERE id = ?1`)
	qDelete = newQuery(`DELETE FROM parts WHERE room = ?1 AND name = ?2`)
	qPut    = newQuery(`INSERT INTO parts (room, name, data) VALUES (?1, ?2, ?3) ON CONFLICT (room, name) DO UPDATE SET data = excluded.data`)
	qTrim   = newQuery(`DELETE FROM logs WHERE room = ?1 AND log = ?2 AND seq <= ?3`)
	qAppend = newQuery(`INSERT INTO logs (room, log, seq, data) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (room, log, seq) DO UPDATE SET data = excluded.data`)
	qRemoveParts = newQuery(`DELETE FROM parts WHERE room = ?1`)
	qRemoveLogs  = newQuery(`DELETE FROM logs WHERE room = ?1`)
	qRemove      = newQuery(`DELETE FROM rooms WHERE id = ?1`)
)
