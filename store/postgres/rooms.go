package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/jackc/pgx/v5"
)

// inRow is the part that is kept in the row of its room, because it is the one that is saved most often.
const inRow = "state"

const (
	acquireSQL = `SELECT a.outcome, (a.holder).id, (a.holder).addr, (a.holder).props, (a.holder).ttl, (a.holder).joined, (a.holder).expires
FROM @schema@.acquire($1, $2, $3) a`

	// A room, its parts and its records, as one statement sees them: at one moment. Rows of different sorts are told apart by
	// the first column. Subqueries with OFFSET 0 are looked up for the room, not joined.
	loadSQL = `
WITH room AS MATERIALIZED (SELECT * FROM @schema@.rooms WHERE kind = $1 AND name = $2)
SELECT 0 AS sort, (SELECT o.id FROM @schema@.owners o WHERE o.n = owner AND NOT o.gone) AS name, state AS data, NULL::bigint AS seq,
	epoch, wake, linger, updated FROM room
UNION ALL
SELECT 1, p.part, p.data, NULL, NULL, NULL, NULL, NULL FROM room
CROSS JOIN LATERAL (SELECT part, data FROM @schema@.parts WHERE room = room.id OFFSET 0) p
UNION ALL
SELECT 2, l.log, l.data, l.seq, NULL, NULL, NULL, NULL FROM room
CROSS JOIN LATERAL (SELECT log, data, seq FROM @schema@.logs WHERE room = room.id ORDER BY log, seq OFFSET 0) l`

	// $1 and $2 are the key to go on after, $3 is the limit, and $4 of the second the kind.
	listAllSQL  = listSQL + ` ORDER BY r.kind, r.name LIMIT $3`
	listKindSQL = listSQL + ` AND r.kind = $4 ORDER BY r.kind, r.name LIMIT $3`

	listSQL = `
SELECT r.kind, r.name, r.epoch, (SELECT o.id FROM @schema@.owners o WHERE o.n = r.owner AND NOT o.gone), r.wake, r.updated,
	coalesce(octet_length(r.state), 0) + p.bytes + l.bytes
FROM @schema@.rooms r
CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(sum(octet_length(data)), 0)::bigint AS bytes FROM @schema@.parts WHERE room = r.id) p
CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(sum(octet_length(data)), 0)::bigint AS bytes FROM @schema@.logs WHERE room = r.id) l
WHERE (r.kind, r.name) > ($1::bytea, $2::bytea) AND (r.state IS NOT NULL OR p.n > 0 OR l.n > 0)`
)

// Acquire is part of [store.Store].
func (s *Store) Acquire(ctx context.Context, owner store.OwnerID, key store.Key) (*store.Room, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var outcome *string
	var holder ownerRow
	var room *store.Room
	var batch pgx.Batch
	kind, name := []byte(key.Kind), []byte(key.Name)
	batch.Queue(s.sql.acquire, []byte(owner), kind, name).QueryRow(func(row pgx.Row) error {
		return row.Scan(append([]any{&outcome}, holder.columns()...)...)
	})
	batch.Queue(s.sql.load, kind, name).Query(func(rows pgx.Rows) (err error) {
		room, err = readRoom(rows, key)
		return err
	})
	err = s.pool.SendBatch(ctx, &batch).Close()
	switch {
	case err != nil:
		return nil, failed(ctx, "acquiring room "+key.String(), err)
	case outcome == nil:
		return room, nil
	case *outcome == "held":
		return nil, &store.HeldError{Key: key, Owner: holder.owner()}
	default:
		return nil, fmt.Errorf("%w: owner %s", store.ErrLapsed, owner)
	}
}

// Load is part of [store.Store].
func (s *Store) Load(ctx context.Context, key store.Key) (*store.Room, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	rows, err := s.pool.Query(ctx, s.sql.load, []byte(key.Kind), []byte(key.Name))
	if err != nil {
		return nil, failed(ctx, "loading room "+key.String(), err)
	}
	room, err := readRoom(rows, key)
	if err != nil {
		return nil, failed(ctx, "loading room "+key.String(), err)
	}
	if room == nil || room.Empty() {
		return nil, fmt.Errorf("%w: %s", store.ErrNotFound, key)
	}
	return room, nil
}

// readRoom reads what loadSQL selects: nil if there is no such room.
func readRoom(rows pgx.Rows, key store.Key) (*store.Room, error) {
	var room *store.Room
	var sort int32
	var name, data []byte
	var seq, epoch, wake, linger, updated *int64
	_, err := pgx.ForEachRow(rows, []any{&sort, &name, &data, &seq, &epoch, &wake, &linger, &updated}, func() error {
		switch sort {
		case 0:
			room = &store.Room{
				Key:     key,
				Epoch:   store.Epoch(*epoch),
				Owner:   store.OwnerID(name),
				Wake:    timeOf(wake),
				Linger:  time.Duration(*linger),
				Updated: timeOf(updated),
				Parts:   make(map[string][]byte),
				Logs:    make(map[string][]store.Record),
			}
			if data != nil {
				room.Parts[inRow] = data
			}
		case 1:
			room.Parts[string(name)] = data
		case 2:
			room.Logs[string(name)] = append(room.Logs[string(name)], store.Record{Seq: uint64(*seq), Data: data})
		}
		name, data = nil, nil // what was read is the room's now
		return nil
	})
	if err != nil {
		return nil, err
	}
	return room, nil
}

// List is part of [store.Store].
func (s *Store) List(ctx context.Context, kind string, after store.Key, limit int) ([]store.Entry, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if limit <= 0 {
		return nil, nil
	}
	sql := s.sql.listAll
	args := []any{[]byte(after.Kind), []byte(after.Name), min(limit, math.MaxInt32)}
	if kind != "" {
		sql, args = s.sql.listKind, append(args, []byte(kind))
	}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, failed(ctx, "listing rooms", err)
	}
	var list []store.Entry
	var rowKind, rowName, owner []byte
	var epoch, bytes int64
	var wake, updated *int64
	_, err = pgx.ForEachRow(rows, []any{&rowKind, &rowName, &epoch, &owner, &wake, &updated, &bytes}, func() error {
		list = append(list, store.Entry{
			Key:     store.Key{Kind: string(rowKind), Name: string(rowName)},
			Epoch:   store.Epoch(epoch),
			Owner:   store.OwnerID(owner),
			Wake:    timeOf(wake),
			Updated: timeOf(updated),
			Bytes:   bytes,
		})
		return nil
	})
	if err != nil {
		return nil, failed(ctx, "listing rooms", err)
	}
	return list, nil
}
