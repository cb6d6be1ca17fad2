package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Encoding is one of the two codecs for Go values. The zero value is JSON.
type Encoding uint8

// The encodings. Their numbers are those in frames.
const (
	JSON    Encoding = 0
	Msgpack Encoding = 1
)

func (e Encoding) known() bool { return e <= Msgpack }

func (e Encoding) String() string {
	switch e {
	case JSON:
		return "json"
	case Msgpack:
		return "msgpack"
	}
	return fmt.Sprintf("encoding %d", uint8(e))
}

// Marshal returns the encoding of what v points to, which is not changed meanwhile. Equal values give equal bytes.
func (e Encoding) Marshal(v any) ([]byte, error) { return e.Append(nil, v) }

// Append is Marshal that appends to dst. After an error dst may have a part of the value behind its length.
func (e Encoding) Append(dst []byte, v any) ([]byte, error) {
	at, err := target(e, v)
	if err != nil {
		return dst, err
	}
	switch e {
	case JSON:
		w := appender{dst}
		enc := json.NewEncoder(&w)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return dst, fmt.Errorf("snapshot: %w", err)
		}
		return w.data[:len(w.data)-1], nil // without the newline
	case Msgpack:
		p, err := planOf(at.Type())
		if err != nil {
			return dst, err
		}
		w := writer{buf: dst}
		if err := w.value(p, at); err != nil {
			return dst, fmt.Errorf("snapshot: %s%w", at.Type(), err)
		}
		return w.buf, nil
	}
	return dst, fmt.Errorf("snapshot: there is no %s: use JSON or Msgpack", e)
}

// Unmarshal reads data into what v points to, which should be the zero value. After an error it may be set in part. It keeps
// nothing of data.
func (e Encoding) Unmarshal(data []byte, v any) error {
	at, err := target(e, v)
	if err != nil {
		return err
	}
	switch e {
	case JSON:
		if err := json.Unmarshal(data, v); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		return nil
	case Msgpack:
		p, err := planOf(at.Type())
		if err != nil {
			return err
		}
		if err := checkMsgpack(data); err != nil {
			return fmt.Errorf("snapshot: %s: %w", at.Type(), err)
		}
		r := reader{data: data}
		if err := r.value(p, at); err != nil {
			return fmt.Errorf("snapshot: %s%w", at.Type(), err)
		}
		return nil
	}
	return fmt.Errorf("snapshot: there is no %s: use JSON or Msgpack", e)
}

var errNoPointer = errors.New("snapshot: a pointer to the value is wanted")

// target is what v points to.
func target(e Encoding, v any) (reflect.Value, error) {
	at := reflect.ValueOf(v)
	if at.Kind() != reflect.Pointer || at.IsNil() {
		return reflect.Value{}, fmt.Errorf("%w, for %s of %T", errNoPointer, e, v)
	}
	return at.Elem(), nil
}

// appender is an io.Writer that appends.
type appender struct{ data []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.data = append(a.data, p...)
	return len(p), nil
}
