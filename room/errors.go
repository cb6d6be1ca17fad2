package room

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// PanicError is the error of a turn or of work that panicked. Clients never see its text.
type PanicError struct {
	Name  string // the call or hook
	Value any    // what panic was called with
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("room: %s panicked: %v", e.Name, e.Value) }

// Unwrap gives the value of the panic if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

func newPanicError(name string, v any) *PanicError {
	return &PanicError{Name: name, Value: v, Stack: debug.Stack()}
}

// guarded gives a panic of f as an error. Code of the application that runs outside a turn's own guard goes through it:
// its panic must not end the room.
func guarded(name string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(name, v)
		}
	}()
	return f()
}

// redacted is what a client is told of an error that carries no code.
const redacted = "internal error"

// errorFrame is what crosses the wire of err: all of a coded error but its cause, nothing of any other. Data that
// cannot be encoded is left out and reported.
func (r *room) errorFrame(t *turn, f wire.Format, err error) wire.ErrorFrame {
	coded, ok := asCoded(err)
	if !ok {
		frame := wire.ErrorFrame{Error: redacted, Code: string(contract.Internal), HasCode: true}
		if _, panicked := err.(*PanicError); !panicked && r.server.opts.ExposeErrors {
			frame.Error = textOf(err)
		}
		return frame
	}
	frame := wire.ErrorFrame{Error: coded.Message, Code: string(coded.Code), HasCode: coded.Code != "", RetryAfter: milliseconds(coded.RetryAfter)}
	if coded.Data != nil {
		var data []byte
		dataErr := guarded("the encoding of an error's data", func() (err error) {
			data, err = wire.Marshal(f, coded.Data)
			return err
		})
		if dataErr != nil {
			r.server.hooks.validationError(ValidationErrorEvent{ID: r.id, Name: t.name, Session: t.sessionID(), Err: fmt.Errorf("room: the data of error %q cannot be encoded and was left out: %w", coded.Code, dataErr)})
		} else {
			frame.Data = data
		}
	}
	return frame
}

// asCoded finds the coded error in err, but not behind a panic: what a handler panics with is never for the client. The
// methods of err are the application's; one that panics, as those of a nil pointer do, hides what is behind it.
func asCoded(err error) (coded *contract.Error, ok bool) {
	if _, panicked := err.(*PanicError); panicked {
		return nil, false
	}
	failed := guarded("the Unwrap of an error", func() error {
		ok = errors.As(err, &coded) && coded != nil
		return nil
	})
	return coded, ok && failed == nil
}

// textOf is err.Error(), or says why there is none: a nil pointer that was returned as an error has no text.
func textOf(err error) (text string) {
	if failed := guarded("Error", func() error { text = err.Error(); return nil }); failed != nil {
		return fmt.Sprintf("an error of type %T without a text; if it is a nil pointer, return nil itself (%v)", err, failed)
	}
	return text
}

// milliseconds rounds up, so that whoever waits that long is not too early.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
