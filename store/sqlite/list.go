package sqlite

import (
	"context"

	"github.com/gosocka/socka/store"
)

// List is part of [store.Store].
func (s *Store) List(ctx context.Context, kind string, after store.Key, limit int) ([]store.Entry, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if limit <= 0 || kind != "" && after.Kind > kind {
		return nil, nil
	}
	var list []store.Entry
	err := s.read.do(ctx, "listing rooms", func(c *conn) error {
		var q *statement
		switch {
		case kind == "":
			q = c.on(qListAll).text(after.Kind).text(after.Name).int(int64(limit))
		case after.Kind < kind:
			q = c.on(qListKind).text(kind).text("").int(int64(limit))
		default:
			q = c.on(qListKind).text(kind).text(after.Name).int(int64(limit))
		}
		for q.next() {
			list = append(list, store.Entry{
				Key:   store.Key{Kind: q.colText(0), Name: q.colText(1)},
				Epoch: store.Epoch(q.colInt(2)), Owner: store.OwnerID(q.colText(3)),
				Wake: timeOf(q.colOptional(4)), Updated: timeOf(q.colOptional(5)), Bytes: q.colInt(6),
			})
		}
		return q.done()
	})
	return list, err
}

// The length of a value is in its row's header: what is long is not read.
const listColumns = `SELECT r.kind, r.name, r.epoch, o.id, r.wake, r.updated,
	(SELECT coalesce(sum(length(data)), 0) FROM parts WHERE room = r.id) + (SELECT coalesce(sum(length(data)), 0) FROM logs WHERE room = r.id)
	FROM rooms r LEFT JOIN owners o ON o.number = r.owner
	WHERE (EXISTS (SELECT 1 FROM parts WHERE room = r.id) OR EXISTS (SELECT 1 FROM logs WHERE room = r.id)) AND `

var (
	qListAll  = newQuery(listColumns + `(r.kind, r.name) > (?1, ?2) ORDER BY r.kind, r.name LIMIT ?3`)
	qListKind = newQuery(listColumns + `r.kind = ?1 AND r.name > ?2 ORDER BY r.name LIMIT ?3`)
)
