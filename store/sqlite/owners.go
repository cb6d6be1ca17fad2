package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"time"

	"github.com/gosocka/socka/store"
)

// owner is a row of owners.
type owner struct {
	number int64
	store.Owner
	boot     string // whose clock ends is of
	ends     int64  // ns by that clock, or never
	endsWall int64  // µs by the wall clock, or never
	lock     int64  // where its lock is, or never
	dead     int64  // µs by the wall clock, or never: when it was found out that its process, or its boot, is over
}

// state is what is to be thought of an owner at a moment.
type state struct {
	alive bool  // its lease has not ended
	ended int64 // when its lease ended, in µs by the wall clock; of one that is alive, when it will, or never
	free  int64 // when its rooms could be taken, or will be, likewise
	found bool  // it is dead, and its row does not say so yet
}

// state judges an owner. Three things end one: a reboot, since nothing of another boot runs; the end of its process,
// which gave back its lock; and the time.
func (o *owner) state(now moment, l *locks) state {
	if o.dead != never {
		return state{ended: o.dead, free: o.dead}
	}
	if o.boot != now.boot || o.lock != never && l.dead(o.lock) {
		at := min(now.wall, o.endsWall)
		return state{ended: at, free: at, found: true}
	}
	if o.ends == never {
		return state{alive: true, ended: never, free: never}
	}
	left := time.Duration(o.ends - now.since)
	st := state{alive: left > 0, ended: now.wall + left.Microseconds()}
	st.free = st.ended + store.Margin(o.TTL).Microseconds() + 1 // rounded up
	return st
}

// takeable says whether others may take its rooms.
func (st state) takeable(now moment) bool { return st.free <= now.wall }

// renewed sets the end of a lease that begins now.
func (o *owner) renewed(now moment) {
	o.boot, o.dead, o.ends, o.endsWall = now.boot, never, never, never
	if o.TTL > 0 && int64(o.TTL) < math.MaxInt64-now.since {
		o.ends = now.since + int64(o.TTL)
		o.endsWall = now.wall + o.TTL.Microseconds()
	}
}

// public is the row as others see it.
func (o *owner) public(st state) store.Owner {
	out := o.Owner
	out.Expires = timeOf(st.ended)
	return out
}

const ownerColumns = `number, id, addr, props, ttl, joined, boot, ends, ends_wall, lock, dead`

func (s *statement) owner() (*owner, error) {
	o := &owner{
		number: s.colInt(0),
		Owner: store.Owner{
			ID: store.OwnerID(s.colText(1)), Addr: s.colText(2), TTL: time.Duration(s.colInt(4)), Joined: timeOf(s.colInt(5)),
		},
		boot: s.colText(6), ends: s.colOptional(7), endsWall: s.colOptional(8), lock: s.colOptional(9), dead: s.colOptional(10),
	}
	if err := json.Unmarshal([]byte(s.colText(3)), &o.Props); err != nil {
		return nil, fmt.Errorf("the properties of owner %s: %w", o.ID, err)
	}
	return o, nil
}

// owners reads rows, one or many.
func (s *statement) owners() ([]*owner, error) {
	var list []*owner
	var bad error
	for s.next() {
		o, err := s.owner()
		if err != nil {
			bad = err
			continue
		}
		list = append(list, o)
	}
	if err := s.done(); err != nil {
		return nil, err
	}
	return list, bad
}

// owner finds an owner, nil if there is none.
func (c *conn) owner(id store.OwnerID) (*owner, error) {
	list, err := c.on(qOwner).text(string(id)).owners()
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func lapsed(id store.OwnerID) error { return fmt.Errorf("%w: owner %s", store.ErrLapsed, id) }

// forgetAfter is how long the row of an owner without rooms is kept after its lease has ended.
const forgetAfter = 24 * time.Hour

// Join is part of [store.Store]. It forgets owners without rooms whose leases ended more than a day ago. Where there are
// locks the owner holds one as long as this handle, or its process, is there.
func (s *Store) Join(ctx context.Context, o store.Owner, ttl time.Duration) (store.Owner, error) {
	if err := store.CheckTTL(ttl); err != nil {
		return store.Owner{}, err
	}
	props, err := json.Marshal(o.Props)
	if err != nil {
		return store.Owner{}, fmt.Errorf("store/sqlite: Props: %w", err)
	}
	if err := s.begin(ctx); err != nil {
		return store.Owner{}, err
	}
	defer s.calls.Done()
	lock, err := s.newLock()
	if err != nil {
		return store.Owner{}, explain(s.path, "locking for a new owner", err)
	}
	row := &owner{Owner: o, lock: lock}
	row.ID, row.TTL = newOwnerID(), ttl
	err = s.write.one(ctx, func(c *conn) (error, error) {
		now := s.clock.now()
		if err := s.forget(c, now); err != nil {
			return nil, err
		}
		row.Joined = timeOf(now.wall)
		row.renewed(now)
		return nil, c.on(qJoin).text(string(row.ID)).text(row.Addr).text(string(props)).int(int64(ttl)).int(now.wall).
			text(row.boot).optional(row.ends).optional(row.endsWall).optional(lock).exec()
	})
	if err != nil {
		s.locks.drop(lock)
		return store.Owner{}, err
	}
	out := row.public(state{ended: row.endsWall})
	out.Props = nil
	json.Unmarshal(props, &out.Props) // a copy
	return out, nil
}

// firstOwnerLock is where the locks of owners begin.
const firstOwnerLock = 1 << 20

// newLock takes a lock for an owner, never if there are none.
func (s *Store) newLock() (int64, error) {
	for s.locks != nil {
		at := firstOwnerLock + mathrand.Int64N(1<<62)
		if ok, err := s.locks.hold(at); ok || err != nil {
			return at, err
		}
	}
	return never, nil
}

// forget deletes the rows of owners that have long been gone and have nothing.
func (s *Store) forget(c *conn, now moment) error {
	list, err := c.on(qOwners).owners()
	if err != nil {
		return err
	}
	for _, o := range list {
		if st := o.state(now, s.locks); !st.takeable(now) || st.ended > now.wall-forgetAfter.Microseconds() {
			continue
		}
		if err := c.on(qForget).int(o.number).exec(); err != nil {
			return err
		}
	}
	return nil
}

// Renew is part of [store.Store]. An owner whose lock nobody has any more, because the handle it joined by was closed, gets
// that of this handle.
func (s *Store) Renew(ctx context.Context, id store.OwnerID) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	return s.write.one(ctx, func(c *conn) (error, error) {
		o, err := c.owner(id)
		if err != nil {
			return nil, err
		}
		if o == nil {
			return lapsed(id), nil
		}
		if o.lock != never && s.locks.dead(o.lock) {
			if _, err := s.locks.hold(o.lock); err != nil {
				return nil, err
			}
		}
		o.renewed(s.clock.now())
		return nil, c.on(qRenew).int(o.number).text(o.boot).optional(o.ends).optional(o.endsWall).exec()
	})
}

// leaveRooms is how many rooms are given back in one transaction.
const leaveRooms = 2000

// Leave is part of [store.Store].
func (s *Store) Leave(ctx context.Context, id store.OwnerID) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	lock := never
	for more := true; more; {
		err := s.write.one(ctx, func(c *conn) (error, error) {
			more = false
			o, err := c.owner(id)
			if err != nil || o == nil {
				return nil, err
			}
			lock = o.lock
			if err := c.on(qGiveBack).int(o.number).int(leaveRooms).exec(); err != nil {
				return nil, err
			}
			if more = c.db.Changes() == leaveRooms; more {
				return nil, nil
			}
			return nil, c.on(qLeave).int(o.number).exec()
		})
		if err != nil {
			return err
		}
	}
	s.locks.drop(lock)
	return nil
}

// Owners is part of [store.Store].
func (s *Store) Owners(ctx context.Context) ([]store.Owner, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	var alive []store.Owner
	err := s.read.do(ctx, "listing the owners", func(c *conn) error {
		list, err := c.on(qOwners).owners()
		now := s.clock.now()
		for _, o := range list {
			if st := o.state(now, s.locks); st.alive {
				alive = append(alive, o.public(st))
			}
		}
		return err
	})
	return alive, err
}

func newOwnerID() store.OwnerID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return store.OwnerID(base64.RawURLEncoding.EncodeToString(b[:]))
}

var (
	qOwner    = newQuery(`SELECT ` + ownerColumns + ` FROM owners WHERE id = ?1`)
	qOwners   = newQuery(`SELECT ` + ownerColumns + ` FROM owners ORDER BY number`)
	qJoin     = newQuery(`INSERT INTO owners (id, addr, props, ttl, joined, boot, ends, ends_wall, lock) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`)
	qRenew    = newQuery(`UPDATE owners SET boot = ?2, ends = ?3, ends_wall = ?4, dead = NULL WHERE number = ?1`)
	qForget   = newQuery(`DELETE FROM owners WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM rooms WHERE owner = ?1 AND owner <> 0)`)
	qGiveBack = newQuery(`UPDATE rooms SET owner = 0 WHERE id IN (SELECT id FROM rooms WHERE owner = ?1 AND owner <> 0 LIMIT ?2)`)
	qLeave    = newQuery(`DELETE FROM owners WHERE number = ?1`)
)
