package sqlite

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gosocka/socka/store"
)

// dueRoom is a room and when it is due, in µs by the wall clock.
type dueRoom struct {
	key store.Key
	at  int64
}

// Due is part of [store.Store]. An owner whose process has ended is found out here: its rooms count as of that time. The
// next it returns is never after the end of a lease of an owner that lives, whether or not that has rooms.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due []store.Key, next time.Time, err error) {
	if err := s.begin(ctx); err != nil {
		return nil, time.Time{}, err
	}
	defer s.calls.Done()
	for {
		var found []*owner
		var rooms []dueRoom
		soonest := never
		err := s.read.do(ctx, "looking for rooms that are due", func(c *conn) error {
			found, rooms, soonest, err = s.look(c, now.UnixMicro(), max(limit, 0)+1)
			return err
		})
		if err != nil {
			return nil, time.Time{}, err
		}
		if len(found) == 0 {
			due, next = sortOut(rooms, soonest, now, limit)
			return due, next, nil
		}
		if err := s.bury(ctx, found); err != nil {
			return nil, time.Time{}, err
		}
	}
}

// look finds what may be among the first n rooms that are due, and of the owners that live when the first may have lapsed.
// Instead, it finds owners that are dead and not known to be.
func (s *Store) look(c *conn, now int64, n int) (found []*owner, rooms []dueRoom, soonest int64, err error) {
	owners, err := c.on(qOwners).owners()
	if err != nil {
		return nil, nil, 0, err
	}
	soonest = never
	clock := s.clock.now()
	var gone []*owner
	for _, o := range owners {
		switch st := o.state(clock, s.locks); {
		case st.found:
			found = append(found, o)
		case st.takeable(clock):
			gone = append(gone, o)
		case st.free != never:
			soonest = min(soonest, now+st.free-clock.wall)
		}
	}
	if len(found) > 0 {
		return found, nil, 0, nil
	}
	q := c.on(qDueFree).int(int64(n))
	for q.next() {
		at := q.colInt(2)
		rooms = append(rooms, dueRoom{key: store.Key{Kind: q.colText(0), Name: q.colText(1)}, at: at})
		if at > now {
			break // the next to be due; those after it do not matter
		}
	}
	if err := q.done(); err != nil {
		return nil, nil, 0, err
	}
	for _, o := range gone {
		of, err := c.dueOf(o.number, o.state(clock, s.locks), n)
		if err != nil {
			return nil, nil, 0, err
		}
		rooms = append(rooms, of...)
	}
	return nil, rooms, soonest, nil
}

// dueOf finds what may be among the first n rooms that are due of an owner that is gone: the first by linger and the first
// by wake, for a room is due by whichever comes first.
func (c *conn) dueOf(owner int64, st state, n int) ([]dueRoom, error) {
	var rooms []dueRoom
	seen := make(map[store.Key]bool)
	for _, by := range []*query{qDueLinger, qDueWake} {
		q := c.on(by).int(owner).int(int64(n))
		for q.next() {
			key := store.Key{Kind: q.colText(0), Name: q.colText(1)}
			if seen[key] {
				continue
			}
			seen[key] = true
			at := q.colOptional(2)
			if linger := linger(q.colInt(3)); linger >= 0 {
				at = min(at, st.ended+linger.Microseconds())
			}
			rooms = append(rooms, dueRoom{key: key, at: max(at, st.free)})
		}
		if err := q.done(); err != nil {
			return nil, err
		}
	}
	return rooms, nil
}

// sortOut makes the answer of Due.
func sortOut(rooms []dueRoom, soonest int64, now time.Time, limit int) (due []store.Key, next time.Time) {
	slices.SortFunc(rooms, func(a, b dueRoom) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key.Kind, b.key.Kind), cmp.Compare(a.key.Name, b.key.Name))
	})
	for _, r := range rooms {
		if r.at > now.UnixMicro() {
			soonest = min(soonest, r.at)
			break
		}
		if len(due) >= limit {
			return due, now
		}
		due = append(due, r.key)
	}
	return due, timeOf(soonest)
}

// bury notes of dead owners that they are, and when that was found out.
func (s *Store) bury(ctx context.Context, found []*owner) error {
	return s.write.one(ctx, func(c *conn) (error, error) {
		for _, f := range found {
			o, err := c.owner(f.ID)
			if err != nil {
				return nil, err
			}
			if o == nil {
				continue
			}
			if st := o.state(s.clock.now(), s.locks); st.found {
				if err := c.on(qBury).int(o.number).int(st.ended).exec(); err != nil {
					return nil, err
				}
			}
		}
		return nil, nil
	})
}

var (
	qDueFree   = newQuery(`SELECT kind, name, wake FROM rooms WHERE owner = 0 AND wake IS NOT NULL ORDER BY wake LIMIT ?1`)
	qDueLinger = newQuery(`SELECT kind, name, wake, linger FROM rooms WHERE owner = ?1 AND owner <> 0 AND linger >= 0 ORDER BY linger LIMIT ?2`)
	qDueWake   = newQuery(`SELECT kind, name, wake, linger FROM rooms WHERE owner = ?1 AND wake IS NOT NULL ORDER BY wake LIMIT ?2`)
	qBury      = newQuery(`UPDATE owners SET dead = ?2 WHERE number = ?1`)
)
