package room

import (
	"bytes"
	"encoding/json"
	"errors"
)

// The snapshot codec is encoding/json, not that of the wire: what it writes is for this program alone, so a nil stays nil
// and an int64 keeps all its bits, which JavaScript on the other side of the wire would not allow.

// encodeSnapshot writes *v. It may run code of v's type, whose panic it returns.
func encodeSnapshot[T any](v *T) (data []byte, err error) {
	err = guarded("the encoding of a snapshot", func() (err error) {
		data, err = json.Marshal(v) // by address, for methods of *T
		return err
	})
	return data, err
}

// errUnstable is of a value that comes back from a snapshot as another one.
var errUnstable = errors.New("what was read back is not what was written: a string that is not UTF-8, or a MarshalJSON that UnmarshalJSON does not undo")

// reload replaces *v by what a snapshot of it would give back.
func reload[T any](v *T) error {
	data, err := encodeSnapshot(v)
	if err != nil {
		return err
	}
	fresh := new(T)
	if err := guarded("the decoding of a snapshot", func() error { return json.Unmarshal(data, fresh) }); err != nil {
		return err
	}
	again, err := encodeSnapshot(fresh)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, again) {
		return errUnstable
	}
	*v = *fresh
	return nil
}
