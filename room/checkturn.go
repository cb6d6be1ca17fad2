package room

import (
	"bytes"
	"errors"
	"fmt"
)

// checkTurn is what Options.CheckTurns asks for: a read-only turn must have left state and session data as they were, and
// both must survive a snapshot; the room goes on with what came back from one.
func (r *room) checkTurn(t *turn, err error) error {
	var problems []error
	if t.before != nil && !bytes.Equal(r.image(), t.before) {
		problems = append(problems, fmt.Errorf("room: the read-only turn of %s changed the state or a session's data; register the call with room.Handle", t.name))
	}
	if e := r.kind.reloadState(r.state); e != nil {
		problems = append(problems, fmt.Errorf("room: the state of %s after %s does not survive a snapshot: %w", r.id, t.name, e))
	}
	for _, s := range r.members {
		if e := r.kind.reloadData(s.public); e != nil {
			problems = append(problems, fmt.Errorf("room: the data of session %s in %s after %s does not survive a snapshot: %w", s.id, r.id, t.name, e))
		}
	}
	if problems == nil {
		return err
	}
	if err != nil { // as text: whoever expects this error must not be content
		problems = append(problems, errors.New(textOf(err)))
	}
	return errors.Join(problems...)
}

// remember keeps what was before a read-only turn, when turns are checked.
func (t *turn) remember() {
	if t.read && t.room.server.opts.CheckTurns {
		t.before = t.room.image()
	}
}

// image is the state and the data of all sessions, encoded. What cannot be encoded is left out here, and found by
// checkTurn.
func (r *room) image() []byte {
	image, _ := r.kind.encodeState(r.state, nil)
	for _, s := range r.members {
		data, _ := r.kind.encodeData(s.public, nil)
		image = append(append(image, '\n'), data...)
	}
	return image
}
