package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/gosocka/socka/store"
)

// Acquire is part of [store.Store].
func (s *Store) Acquire(ctx context.Context, id store.OwnerID, key store.Key) (*store.Room, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	var epoch store.Epoch
	var made bool
	err := s.write.one(ctx, func(c *conn) (refused, err error) {
		epoch, made, refused, err = s.take(c, id, key)
		return refused, err
	})
	if err != nil {
		return nil, err
	}
	if made {
		return &store.Room{Key: key, Epoch: epoch, Owner: id, Parts: map[string][]byte{}, Logs: map[string][]store.Record{}}, nil
	}
	// What is in the room is read afterwards, on a connection that holds up no writer. Nobody but the one who was given the
	// epoch has changed it by then, or else his first save is fenced.
	room, err := s.load(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		room, err = &store.Room{Key: key, Parts: map[string][]byte{}, Logs: map[string][]store.Record{}}, nil
	}
	if err != nil {
		return nil, err
	}
	room.Epoch, room.Owner = epoch, id
	return room, nil
}

// take gives a room to an owner under a new epoch, or refuses it.
func (s *Store) take(c *conn, id store.OwnerID, key store.Key) (epoch store.Epoch, made bool, refused, err error) {
	o, err := c.owner(id)
	if err != nil {
		return 0, false, nil, err
	}
	if o == nil {
		return 0, false, lapsed(id), nil
	}
	var room, holder int64
	q := c.on(qFind).text(key.Kind).text(key.Name)
	for q.next() {
		room, holder = q.colInt(0), q.colInt(1)
	}
	if err := q.done(); err != nil {
		return 0, false, nil, err
	}
	now := s.clock.now()
	if holder != 0 && holder != o.number {
		list, err := c.on(qHolder).int(holder).owners()
		if err != nil {
			return 0, false, nil, err
		}
		for _, h := range list {
			if st := h.state(now, s.locks); !st.takeable(now) {
				return 0, false, &store.HeldError{Key: key, Owner: h.public(st)}, nil
			}
		}
	}
	q = c.on(qEpoch).int(now.wall)
	for q.next() {
		epoch = store.Epoch(q.colInt(0))
	}
	if err := q.done(); err != nil {
		return 0, false, nil, err
	}
	if epoch == 0 {
		return 0, false, nil, fmt.Errorf("there is no last epoch in the database")
	}
	if made = room == 0; made {
		err = c.on(qMake).text(key.Kind).text(key.Name).int(int64(epoch)).int(o.number).exec()
	} else {
		err = c.on(qTake).int(room).int(int64(epoch)).int(o.number).exec()
	}
	return epoch, made, nil, err
}

// Load is part of [store.Store].
func (s *Store) Load(ctx context.Context, key store.Key) (*store.Room, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	room, err := s.load(ctx, key)
	if err == nil && room.Empty() {
		return nil, notFound(key)
	}
	return room, err
}

func notFound(key store.Key) error { return fmt.Errorf("%w: %s", store.ErrNotFound, key) }

// load reads a room, also an empty one.
func (s *Store) load(ctx context.Context, key store.Key) (*store.Room, error) {
	room := &store.Room{Key: key, Parts: make(map[string][]byte), Logs: make(map[string][]store.Record)}
	var id int64
	err := s.read.do(ctx, "reading room "+key.String(), func(c *conn) error {
		q := c.on(qRoom).text(key.Kind).text(key.Name)
		for q.next() {
			id = q.colInt(0)
			room.Epoch, room.Owner = store.Epoch(q.colInt(1)), store.OwnerID(q.colText(2))
			room.Wake, room.Linger, room.Updated = timeOf(q.colOptional(3)), linger(q.colInt(4)), timeOf(q.colOptional(5))
		}
		if err := q.done(); err != nil || id == 0 {
			return err
		}
		q = c.on(qParts).int(id)
		for q.next() {
			room.Parts[q.colText(0)] = q.colBlob(1)
		}
		if err := q.done(); err != nil {
			return err
		}
		q = c.on(qRecords).int(id)
		for q.next() {
			log := q.colText(0)
			room.Logs[log] = append(room.Logs[log], store.Record{Seq: uint64(q.colInt(1)), Data: q.colBlob(2)})
		}
		return q.done()
	})
	if err == nil && id == 0 {
		err = notFound(key)
	}
	return room, err
}

var (
	qFind    = newQuery(`SELECT id, owner FROM rooms WHERE kind = ?1 AND name = ?2`)
	qHolder  = newQuery(`SELECT ` + ownerColumns + ` FROM owners WHERE number = ?1`)
	qEpoch   = newQuery(`UPDATE meta SET value = max(value + 1, ?1) WHERE key = 'epoch' RETURNING value`)
	qMake    = newQuery(`INSERT INTO rooms (kind, name, epoch, batch, owner, linger) VALUES (?1, ?2, ?3, 0, ?4, 0)`)
	qTake    = newQuery(`UPDATE rooms SET epoch = ?2, batch = 0, owner = ?3 WHERE id = ?1`)
	qParts   = newQuery(`SELECT name, data FROM parts WHERE room = ?1`)
	qRecords = newQuery(`SELECT log, seq, data FROM logs WHERE room = ?1 ORDER BY log, seq`)
	qRoom    = newQuery(`SELECT r.id, r.epoch, o.id, r.wake, r.linger, r.updated FROM rooms r LEFT JOIN owners o ON o.number = r.owner
		WHERE r.kind = ?1 AND r.name = ?2`)
)
