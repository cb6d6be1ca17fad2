package room

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"

	"github.com/gosocka/socka/store/snapshot"
)

// encodeSnapshot appends *v to dst, whose memory is used. It may run code of v's type, whose panic it returns.
func encodeSnapshot[T any](e snapshot.Encoding, v *T, dst []byte) (data []byte, err error) {
	err = guarded("the encoding of a snapshot", func() (err error) {
		data, err = e.Append(dst, v) // by address, for methods of *T
		return err
	})
	return data, err
}

// decodeSnapshot reads *v, likewise.
func decodeSnapshot[T any](e snapshot.Encoding, data []byte, v *T) error {
	return guarded("the decoding of a snapshot", func() error { return e.Unmarshal(data, v) })
}

// errUnstable is of a value that comes back from a snapshot as another one.
var errUnstable = errors.New("what was read back is not what was written: a string that is not UTF-8, or a MarshalJSON that UnmarshalJSON does not undo")

// reload replaces *v by what a snapshot of it would give back.
func reload[T any](e snapshot.Encoding, v *T) error {
	data, err := encodeSnapshot(e, v, nil)
	if err != nil {
		return err
	}
	fresh := new(T)
	if err := decodeSnapshot(e, data, fresh); err != nil {
		return err
	}
	again, err := encodeSnapshot(e, fresh, nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, again) {
		return errUnstable
	}
	*v = *fresh
	return nil
}

// checkMsgpack says which part of T would not survive a snapshot in msgpack.
func checkMsgpack[T any](kind, what string) error {
	if err := snapshot.CheckMsgpack(reflect.TypeFor[T]()); err != nil {
		return fmt.Errorf("room: kind %s: %s cannot be kept with SnapshotFormat wire.Msgpack: %w", kind, what, err)
	}
	return nil
}

// hashOf is what is kept of something that is only compared.
func hashOf(what string, data []byte) []byte {
	sum := sha256.Sum256(append([]byte(what+"\x00"), data...))
	return sum[:]
}
