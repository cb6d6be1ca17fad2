package postgres

import (
	"context"
	"math"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/jackc/pgx/v5"
)

// $1 is the clock of the caller, to which all times of leases are carried over; $2 the limit, and 1.
//
// free are those whose rooms nobody who lives has: nobody (0), owners that have lapsed, and those that have left. Their rooms
// are read by an index, owner by owner, in the order in which they become due, so that it costs the same with however many
// rooms that sleep. The last row has no name: it is the time at which the next room may be due.
const dueSQL = `
WITH owners AS MATERIALIZED (
	SELECT o.n, o.gone, o.lapses <= now AS lapsed, now - o.expires AS over, $1 - (now - o.lapses) AS since
	FROM @schema@.owners o, @schema@.clock() AS now
), free AS MATERIALIZED (
	SELECT 0::bigint AS n, NULL::bigint AS over, NULL::bigint AS since
	UNION ALL
	SELECT n, NULL, NULL FROM owners WHERE gone
	UNION ALL
	SELECT n, over, since FROM owners WHERE lapsed AND NOT gone
), due AS (
	SELECT r.kind, r.name, greatest(r.wake, f.since) AS at FROM free f CROSS JOIN LATERAL (
		SELECT kind, name, wake FROM @schema@.rooms WHERE owner = f.n AND wake <= $1 ORDER BY wake LIMIT $2::bigint
	) r
	UNION ALL
	SELECT r.kind, r.name, greatest($1 - f.over + r.linger / 1000, f.since) FROM free f CROSS JOIN LATERAL (
		SELECT kind, name, linger FROM @schema@.rooms
		WHERE owner = f.n AND owner <> 0 AND linger BETWEEN 0 AND f.over * 1000 ORDER BY linger LIMIT $2::bigint
	) r WHERE f.over IS NOT NULL
), soon AS (
	SELECT since AS at FROM owners WHERE NOT lapsed AND NOT gone
	UNION ALL
	SELECT r.wake FROM free f CROSS JOIN LATERAL (
		SELECT wake FROM @schema@.rooms WHERE owner = f.n AND wake > $1 ORDER BY wake LIMIT 1
	) r
	UNION ALL
	SELECT $1 - f.over + (r.linger + 999) / 1000 FROM free f CROSS JOIN LATERAL (
		SELECT linger FROM @schema@.rooms
		WHERE owner = f.n AND owner <> 0 AND linger > f.over * 1000 AND linger < 9223372036854774807 ORDER BY linger LIMIT 1
	) r WHERE f.over IS NOT NULL
)
(SELECT kind, name, min(at) AS at FROM due GROUP BY kind, name ORDER BY at, kind, name LIMIT $2::bigint)
UNION ALL
SELECT NULL, NULL, min(at) FROM soon`

// Due is part of [store.Store]. The next it returns is never after the end of the lease of an owner that lives, so that nobody
// has to be told when that acquires rooms.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due []store.Key, next time.Time, err error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer end()
	limit = min(max(limit, 0), math.MaxInt32)
	s.asked.begin()
	at := never
	defer func() { s.asked.end(at, err == nil) }()
	rows, err := s.pool.Query(ctx, s.sql.due, now.UnixMicro(), int64(limit)+1)
	if err != nil {
		return nil, time.Time{}, failed(ctx, "asking what is due", err)
	}
	var kind, name []byte
	var micros *int64
	_, err = pgx.ForEachRow(rows, []any{&kind, &name, &micros}, func() error {
		switch {
		case kind != nil:
			due = append(due, store.Key{Kind: string(kind), Name: string(name)})
		case micros != nil:
			at = *micros
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, failed(ctx, "asking what is due", err)
	}
	if len(due) > limit {
		at = now.UnixMicro()
		return due[:limit], now, nil
	}
	if at == never {
		return due, time.Time{}, nil
	}
	return due, time.UnixMicro(at), nil
}
