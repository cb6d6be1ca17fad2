package contract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"testing"
	"time"
)

func TestCodes(t *testing.T) {
	tests := []struct {
		code      Code
		wire      string
		retryable bool
		status    int
	}{
		{InvalidInput, "invalid_input", false, 400},
		{InvalidOutput, "invalid_output", false, 500},
		{UnknownCall, "unknown_call", false, 404},
		{Internal, "internal", false, 500},
		{Unavailable, "unavailable", true, 503},
		{OutcomeUnknown, "outcome_unknown", false, 500},
		{AskCycle, "ask_cycle", false, 500},
		{RateLimited, "rate_limited", true, 429},
		{Unauthenticated, "unauthenticated", false, 401},
		{PermissionDenied, "permission_denied", false, 403},
		{NotFound, "not_found", false, 404},
		{Conflict, "conflict", false, 409},
		{FailedPrecondition, "failed_precondition", false, 412},
		{ResourceExhausted, "resource_exhausted", false, 429},
		{DeadlineExceeded, "deadline_exceeded", false, 504},
		{Canceled, "canceled", false, 499},
		{Unknown, "unknown", false, 500},
		{"not_your_turn", "not_your_turn", false, 400},
		{"", "", false, 200},
	}
	for _, test := range tests {
		if string(test.code) != test.wire || test.code.Retryable() != test.retryable || test.code.HTTPStatus() != test.status {
			t.Errorf("%q: retryable %v, status %d", test.code, test.code.Retryable(), test.code.HTTPStatus())
		}
		if test.status != 499 && http.StatusText(test.status) == "" {
			t.Errorf("%q: %d is no HTTP status", test.code, test.status)
		}
	}
}

func TestError(t *testing.T) {
	e := Errorf(Conflict, "seat %d: %w", 3, fs.ErrExist)
	if e.Error() != "conflict: seat 3: file already exists" || e.Message != "seat 3: file already exists" || e.Code != Conflict {
		t.Errorf("%#v", e)
	}
	if e.Unwrap() != fs.ErrExist || !errors.Is(e, fs.ErrExist) || errors.Is(e, io.EOF) {
		t.Errorf("cause %v", e.Cause)
	}
	if two := Errorf(Internal, "%w and %w", io.EOF, fs.ErrExist); !errors.Is(two, io.EOF) || !errors.Is(two, fs.ErrExist) {
		t.Errorf("causes %v", two.Cause)
	}
	if plain := Errorf(NotFound, "100%% gone"); plain.Cause != nil || plain.Unwrap() != nil || plain.Message != "100% gone" {
		t.Errorf("%#v", plain)
	}

	wrapped := fmt.Errorf("move: %w", e)
	if !errors.Is(wrapped, &Error{Code: Conflict}) || errors.Is(wrapped, &Error{Code: NotFound}) || errors.Is(wrapped, (*Error)(nil)) {
		t.Error("Is does not go by the code")
	}
	var as *Error
	if !errors.As(wrapped, &as) || as != e {
		t.Error("As does not find the error")
	}

	for want, e := range map[string]*Error{
		"conflict":     {Code: Conflict},
		"just words":   {Message: "just words"},
		"":             {},
		"not_found: x": {Code: NotFound, Message: "x"},
	} {
		if e.Error() != want {
			t.Errorf("%#v is %q, want %q", e, e.Error(), want)
		}
	}

	d := e.WithData([]int{1}).WithRetryAfter(time.Second)
	if e.Data != nil || e.RetryAfter != 0 {
		t.Error("With changed the original")
	}
	if d.Data == nil || d.RetryAfter != time.Second || d.Code != e.Code || d.Message != e.Message || d.Cause != e.Cause {
		t.Errorf("%#v", d)
	}
}

func TestCodeOf(t *testing.T) {
	var none *Error
	tests := []struct {
		err  error
		want Code
	}{
		{nil, ""},
		{io.EOF, Unknown},
		{none, Unknown},
		{&Error{Message: "no code"}, Unknown},
		{&Error{Code: "not_your_turn"}, "not_your_turn"},
		{fmt.Errorf("a: %w", fmt.Errorf("b: %w", Errorf(NotFound, "c"))), NotFound},
		{errors.Join(io.EOF, Errorf(Conflict, "c")), Conflict},
		{context.DeadlineExceeded, DeadlineExceeded},
		{fmt.Errorf("ask: %w", context.Canceled), Canceled},
		{Errorf(Unavailable, "stopping: %w", context.Canceled), Unavailable},
	}
	for _, test := range tests {
		if got := CodeOf(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}
