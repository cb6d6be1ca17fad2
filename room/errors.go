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
			frame.Error = err.Error()
		}
		return frame
	}
	frame := wire.ErrorFrame{Error: coded.Message, Code: string(coded.Code), HasCode: coded.Code != "", RetryAfter: milliseconds(coded.RetryAfter)}
	if coded.Data != nil {
		data, dataErr := wire.Marshal(f, coded.Data)
		if dataErr != nil {
			r.server.hooks.validationError(ValidationErrorEvent{ID: r.id, Name: t.name, Session: t.sessionID(), Err: fmt.Errorf("room: the data of error %q cannot be encoded and was left out: %w", coded.Code, dataErr)})
		} else {
			frame.Data = data
		}
	}
	return frame
}

// asCoded finds the coded error in err, but not behind a panic: what a handler panics with is never for the client.
func asCoded(err error) (*contract.Error, bool) {
	if _, panicked := err.(*PanicError); panicked {
		return nil, false
	}
	var coded *contract.Error
	return coded, errors.As(err, &coded)
}

// milliseconds rounds up, so that whoever waits that long is not too early.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
