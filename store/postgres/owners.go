package postgres

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/jackc/pgx/v5"
)

// How long the row of an owner is kept after it has left, or has lapsed. One that rooms refer to is kept longer.
const (
	keepLeft   = time.Hour
	keepLapsed = 24 * time.Hour
)

const (
	joinSQL = `
INSERT INTO @schema@.owners (id, addr, props, ttl, joined, expires)
SELECT $1, $2, $3, $4::bigint, now, CASE WHEN $4::bigint > 0 THEN now + $4::bigint / 1000 END FROM @schema@.clock() AS now
RETURNING joined, expires`

	forgetSQL = `SELECT @schema@.forget(now - $1::bigint, now - $2::bigint) FROM @schema@.clock() AS now`

	// An owner that was not listed any more is told of as one that joins.
	renewSQL = `
WITH before AS MATERIALIZED (
	SELECT n, expires <= now AS ended, now FROM @schema@.owners, @schema@.clock() AS now WHERE id = $1 AND NOT gone
), renewed AS (
	UPDATE @schema@.owners o SET expires = CASE WHEN o.ttl > 0 THEN b.now + o.ttl / 1000 END
	FROM before b WHERE o.n = b.n AND NOT o.gone
	RETURNING b.ended
)
SELECT CASE WHEN ended THEN pg_notify($2, $3) IS NULL ELSE true END FROM renewed`

	// The row stays, for the rooms that refer to it.
	leaveSQL = `
WITH gone AS (
	UPDATE @schema@.owners SET gone = true, expires = @schema@.clock() WHERE id = $1 AND NOT gone RETURNING n
)
SELECT pg_notify($2, $3) IS NULL FROM gone`

	ownersSQL = `
SELECT ` + ownerColumns + ` FROM @schema@.owners o
WHERE NOT gone AND (expires IS NULL OR expires > @schema@.clock()) ORDER BY n`

	ownerColumns = `o.id, o.addr, o.props, o.ttl, o.joined, o.expires`
)

// ownerRow is a row of owners. Its fields are nil where there is none.
type ownerRow struct {
	id, addr []byte
	props    [][]byte
	ttl      *int64
	joined   *int64
	expires  *int64
}

// columns are where to put what ownerColumns selects.
func (r *ownerRow) columns() []any {
	return []any{&r.id, &r.addr, &r.props, &r.ttl, &r.joined, &r.expires}
}

func (r *ownerRow) owner() store.Owner {
	o := store.Owner{
		ID:      store.OwnerID(r.id),
		Addr:    string(r.addr),
		Joined:  timeOf(r.joined),
		Expires: timeOf(r.expires),
	}
	if r.ttl != nil {
		o.TTL = time.Duration(*r.ttl)
	}
	if len(r.props) > 0 {
		o.Props = make(map[string]string, len(r.props)/2)
		for pair := range slices.Chunk(r.props, 2) {
			o.Props[string(pair[0])] = string(pair[1])
		}
	}
	return o
}

// Join is part of [store.Store]. It forgets owners without rooms that left more than an hour ago, or lapsed more than
// a day ago.
func (s *Store) Join(ctx context.Context, o store.Owner, ttl time.Duration) (store.Owner, error) {
	if err := store.CheckTTL(ttl); err != nil {
		return store.Owner{}, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return store.Owner{}, err
	}
	defer end()
	row := ownerRow{id: newOwnerID(), addr: []byte(o.Addr), props: [][]byte{}}
	for name, value := range o.Props {
		row.props = append(row.props, []byte(name), []byte(value))
	}
	nanos := int64(ttl)
	row.ttl = &nanos
	var batch pgx.Batch
	batch.Queue(s.sql.join, row.id, row.addr, row.props, nanos).QueryRow(func(r pgx.Row) error {
		return r.Scan(&row.joined, &row.expires)
	})
	batch.Queue(s.sql.forget, keepLeft.Microseconds(), keepLapsed.Microseconds())
	batch.Queue(s.sql.tell, s.options.Schema, tellOwners)
	if err := s.leases.SendBatch(ctx, &batch).Close(); err != nil {
		return store.Owner{}, failed(ctx, "joining", err)
	}
	return row.owner(), nil
}

// Renew is part of [store.Store].
func (s *Store) Renew(ctx context.Context, owner store.OwnerID) error {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	var ok bool
	err = s.leases.QueryRow(ctx, s.sql.renew, []byte(owner), s.options.Schema, tellOwners).Scan(&ok)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%w: owner %s", store.ErrLapsed, owner)
	case err != nil:
		return failed(ctx, "renewing the lease of owner "+string(owner), err)
	}
	return nil
}

// Leave is part of [store.Store]. It takes the same time with however many rooms.
func (s *Store) Leave(ctx context.Context, owner store.OwnerID) error {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := s.leases.Exec(ctx, s.sql.leave, []byte(owner), s.options.Schema, tellOwners); err != nil {
		return failed(ctx, "ending owner "+string(owner), err)
	}
	return nil
}

// Owners is part of [store.Store].
func (s *Store) Owners(ctx context.Context) ([]store.Owner, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	rows, err := s.pool.Query(ctx, s.sql.owners)
	if err != nil {
		return nil, failed(ctx, "listing owners", err)
	}
	var list []store.Owner
	var row ownerRow
	_, err = pgx.ForEachRow(rows, row.columns(), func() error {
		list = append(list, row.owner())
		row = ownerRow{}
		return nil
	})
	if err != nil {
		return nil, failed(ctx, "listing owners", err)
	}
	return list, nil
}

func newOwnerID() []byte {
	var random [16]byte
	rand.Read(random[:]) // never fails
	return base64.RawURLEncoding.AppendEncode(nil, random[:])
}
