package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gosocka/socka/store"
	"github.com/jackc/pgx/v5"
)

// limits bound the bytes of a statement, what is more goes as several, one after the other; and those of one batch, since
// Postgres takes no message above 1 GiB, and holds it several times over.
type limits struct{ statement, batch int }

var defaultLimits = limits{statement: 64 << 20, batch: 256 << 20}

const saveSQL = `SELECT failed, failed_epochs, failed_numbers, soonest
FROM @schema@.save($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`

var errTwice = errors.New("store/postgres: two batches of one call are of the same room: send them one after the other")

// Save is part of [store.Store]. All batches of a call go in one statement and are committed together, unless they have more
// than 64 MiB: a failure that is neither ErrFenced nor ErrStale is one of all of them. A batch of more than 256 MiB is refused.
func (s *Store) Save(ctx context.Context, batches []store.Batch) []error {
	errs := make([]error, len(batches))
	ctx, end, err := s.begin(ctx)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer end()
	order := make([]int, 0, len(batches))
	for i := range batches {
		if errs[i] = s.limits.check(&batches[i]); errs[i] == nil {
			order = append(order, i)
		}
	}
	// The order in which all lock their rooms.
	slices.SortFunc(order, func(a, b int) int {
		ka, kb := batches[a].Key, batches[b].Key
		return cmp.Or(cmp.Compare(ka.Kind, kb.Kind), cmp.Compare(ka.Name, kb.Name), cmp.Compare(a, b))
	})
	c := collectors.Get().(*collector)
	defer func() {
		c.reset()
		collectors.Put(c)
	}()
	for n, i := range order {
		b := &batches[i]
		if n > 0 && batches[order[n-1]].Key == b.Key {
			errs[i] = errTwice
			continue
		}
		if size := sizeOf(b); c.bytes > 0 && c.bytes+size > s.limits.statement {
			s.flush(ctx, c, batches, errs)
		}
		c.add(b, i)
	}
	s.flush(ctx, c, batches, errs)
	return errs
}

func (l limits) check(b *store.Batch) error {
	if err := store.CheckBatch(b); err != nil {
		return err
	}
	if size := sizeOf(b); size > l.batch {
		return fmt.Errorf("store/postgres: batch for room %q has %d bytes, at most %d are taken: split what the room keeps into parts, and save few of them at a time", b.Key.String(), size, l.batch)
	}
	return nil
}

func sizeOf(b *store.Batch) int {
	size := len(b.Key.Kind) + len(b.Key.Name)
	for i := range b.Put {
		size += len(b.Put[i].Name) + len(b.Put[i].Data)
	}
	for i := range b.Append {
		size += len(b.Append[i].Log) + len(b.Append[i].Data)
	}
	return size
}

// flush carries out what was collected.
func (s *Store) flush(ctx context.Context, c *collector, batches []store.Batch, errs []error) {
	if len(c.index) == 0 {
		return
	}
	defer c.reset()
	out, err := s.callSave(ctx, c)
	if err != nil {
		err = failed(ctx, fmt.Sprintf("saving %d rooms, which may have been done or not", len(c.index)), err)
		for _, i := range c.index {
			errs[i] = err
		}
		return
	}
	for k, at := range out.failed {
		i := c.index[at-1]
		errs[i] = refusal(&batches[i], out.epochs[k], out.numbers[k])
	}
	if out.soonest != nil {
		s.teller.wake(*out.soonest)
	}
}

// outcome is what save returns.
type outcome struct {
	failed          []int32 // batches by their place in the arrays, from 1
	epochs, numbers []*int64
	soonest         *int64
}

// callSave calls save with arrays that are encoded already: to have pgx do that from slices takes thirty times as long.
func (s *Store) callSave(ctx context.Context, c *collector) (out outcome, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return out, err
	}
	defer conn.Release()
	// Once for each connection.
	statement, err := conn.Conn().Prepare(ctx, "save", s.sql.save)
	if err != nil {
		return out, err
	}
	result := conn.Conn().PgConn().ExecPrepared(ctx, statement.Name, c.parameters(), inBinary, inBinary).Read()
	if result.Err != nil {
		return out, result.Err
	}
	for k, to := range []any{&out.failed, &out.epochs, &out.numbers, &out.soonest} {
		if err := conn.Conn().TypeMap().Scan(statement.Fields[k].DataTypeOID, pgx.BinaryFormatCode, result.Rows[0][k], to); err != nil {
			return out, err
		}
	}
	return out, nil
}

var inBinary = []int16{pgx.BinaryFormatCode}

// refusal says why a batch was not carried out, by what its room has now.
func refusal(b *store.Batch, epoch, number *int64) error {
	switch {
	case epoch == nil:
		return fmt.Errorf("%w: room %s is gone", store.ErrFenced, b.Key)
	case store.Epoch(*epoch) != b.Epoch:
		return fmt.Errorf("%w: room %s has epoch %d, the batch %d", store.ErrFenced, b.Key, *epoch, b.Epoch)
	default:
		return fmt.Errorf("%w: room %s has had number %d, the batch is number %d", store.ErrStale, b.Key, *number, b.Number)
	}
}
