package contract

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Code says what kind of failure an [Error] is. It crosses the wire as the
// "code" of a serverError envelope (socka v1 wire), so clients in any language
// may branch on it.
//
// The codes below are the ones that this module sends itself. An application
// adds its own as plain strings ("not_your_turn"); they are carried unchanged.
type Code string

// The built-in codes. For each: who sends it, whether the call ran, and what
// the caller should do.
const (
	// InvalidInput: the room, or the Go client before sending, found that the
	// input does not satisfy the call's schema. The handler did not run.
	// Correct the input; repeating the same one fails again.
	InvalidInput Code = "invalid_input"

	// InvalidOutput: the room found that what the handler returned does not
	// satisfy the call's output schema, or the Go client found that about what
	// it received. The handler ran. It is a fault of the program, not of the
	// caller.
	InvalidOutput Code = "invalid_output"

	// UnknownCall: the contract of the room has no call of that name. Nothing
	// ran. Usually client and server were built from different contracts.
	UnknownCall Code = "unknown_call"

	// Internal: the handler panicked, or failed with an error that carries no
	// code; the text is withheld from the caller. The handler ran, in part at
	// least. Report it to the operator of the server.
	Internal Code = "internal"

	// Unavailable: the server cannot take the call now (starting, stopping,
	// queue full). The call certainly did not run. Retry it after RetryAfter,
	// or with backoff.
	Unavailable Code = "unavailable"

	// OutcomeUnknown: the connection or the room was lost while the call was
	// under way. It may have run. Look before repeating it, unless repeating
	// does no harm.
	OutcomeUnknown Code = "outcome_unknown"

	// AskCycle: a room asked a room that is waiting for it, itself included.
	// The asked handler did not run. It is a fault in the design of the rooms.
	AskCycle Code = "ask_cycle"

	// RateLimited: the connection sends calls faster than the server's limit.
	// The call did not run. Retry it after RetryAfter.
	RateLimited Code = "rate_limited"

	// Unauthenticated: the caller is not known. The call did not run. Connect
	// again with valid credentials. Sent by application hooks.
	Unauthenticated Code = "unauthenticated"

	// PermissionDenied: the caller is known and may not do this. The call had
	// no effect. Retrying does not help. Sent by application hooks and handlers.
	PermissionDenied Code = "permission_denied"

	// NotFound: what the call names does not exist. The call had no effect.
	// Sent by the server for a room that may not be created, and by handlers.
	NotFound Code = "not_found"

	// Conflict: the call contradicts the present state (already taken, changed
	// meanwhile). It had no effect. Read the state again, then decide. Sent by
	// handlers.
	Conflict Code = "conflict"

	// FailedPrecondition: the room is not in a state in which the call is
	// allowed. It had no effect. Retry only once the state has changed. Sent by
	// handlers.
	FailedPrecondition Code = "failed_precondition"

	// ResourceExhausted: a limit on amounts (sessions, rooms, bytes) is
	// reached. The call had no effect. Retry later, or free something. Sent by
	// the server and by handlers.
	ResourceExhausted Code = "resource_exhausted"

	// DeadlineExceeded: the time for the call ran out. It may have run. Treat
	// it as OutcomeUnknown.
	DeadlineExceeded Code = "deadline_exceeded"

	// Canceled: the caller withdrew. The call may have run. Treat it as
	// OutcomeUnknown.
	Canceled Code = "canceled"

	// Unknown is what [CodeOf] gives for an error without a code, and what a
	// client sees when the server sent none. Nothing is known about whether the
	// call ran.
	Unknown Code = "unknown"
)

// Retryable reports whether the same call may simply be sent again later: it
// certainly did not run, and the reason is one that passes. It is true for
// [Unavailable] and [RateLimited] alone; an application's own codes are never
// retryable.
func (c Code) Retryable() bool { return c == Unavailable || c == RateLimited }

// HTTPStatus gives the HTTP status for an error with code c, for hooks that
// answer before the upgrade to a WebSocket and for plain HTTP handlers. An
// application's own codes give 400, the empty code gives 200.
func (c Code) HTTPStatus() int {
	switch c {
	case "":
		return http.StatusOK
	case Unauthenticated:
		return http.StatusUnauthorized
	case PermissionDenied:
		return http.StatusForbidden
	case NotFound, UnknownCall:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case FailedPrecondition:
		return http.StatusPreconditionFailed
	case RateLimited, ResourceExhausted:
		return http.StatusTooManyRequests
	case Unavailable:
		return http.StatusServiceUnavailable
	case DeadlineExceeded:
		return http.StatusGatewayTimeout
	case Canceled:
		return 499 // "client closed request", as proxies log it
	case Internal, InvalidOutput, OutcomeUnknown, AskCycle, Unknown:
		return http.StatusInternalServerError
	default: // InvalidInput and the application's own
		return http.StatusBadRequest
	}
}

// Error is the one coded error. A handler that returns one sends Code, Message,
// Data and RetryAfter to the caller; the Go client returns what it received as
// an Error again. Any other error is withheld from callers and reaches them as
// [Internal].
//
// An Error is not changed after it is made: the With methods return copies. It
// is safe for concurrent use if its Data is.
type Error struct {
	// Code says what kind of failure this is. Empty is sent as no code at all.
	Code Code
	// Message is for people. It is sent to the caller: put no secrets in it.
	Message string
	// Data is sent with the error and must be encodable; nil sends none.
	Data any
	// RetryAfter is a hint when to try again; 0 gives none. It is sent in whole
	// milliseconds, rounded up.
	RetryAfter time.Duration
	// Cause is what led here. It stays on this side of the wire.
	Cause error
}

// Errorf returns an Error with the given code and a formatted message. The verb
// %w works as in [fmt.Errorf] and sets Cause; mind that the text of a wrapped
// error becomes part of the message and so reaches the caller.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Code: code, Message: err.Error()}
	switch w := err.(type) {
	case interface{ Unwrap() error }:
		e.Cause = w.Unwrap()
	case interface{ Unwrap() []error }:
		e.Cause = errors.Join(w.Unwrap()...)
	}
	return e
}

// Error returns "code: message", or what there is of the two.
func (e *Error) Error() string {
	switch {
	case e.Code == "":
		return e.Message
	case e.Message == "":
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Message
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an Error with the same code, so that
// errors.Is(err, &contract.Error{Code: contract.NotFound}) asks for the code
// anywhere in a chain.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t != nil && t.Code == e.Code
}

// WithData returns a copy of e that carries v as its data.
func (e *Error) WithData(v any) *Error {
	c := *e
	c.Data = v
	return &c
}

// WithRetryAfter returns a copy of e with the hint to try again after d.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// CodeOf returns the code of the first *Error in err's chain. Without one it is
// [DeadlineExceeded] or [Canceled] for the errors of a context, "" for nil and
// [Unknown] for everything else, also for an *Error whose code is empty.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		if e == nil || e.Code == "" {
			return Unknown
		}
		return e.Code
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return Unknown
}
