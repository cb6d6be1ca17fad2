package client

import (
	"errors"
	"fmt"
	"strings"
)

// ErrClosed is matched by the errors of a client that is closed for good: by its
// own Close, or by the server in a way that says not to come back.
var ErrClosed = errors.New("socka: client closed")

// ErrNotConnected is matched by the errors of calls on a client that has no
// connection and is not about to get one: Connect has not been called, or failed.
var ErrNotConnected = errors.New("socka: client not connected: call Connect first")

// ErrConnectionLost is matched by every [ConnectionError].
var ErrConnectionLost = errors.New("socka: connection lost")

// ConnectionError says how a connection was lost. It is the cause of the error
// of every call that was waiting for its answer then, and the Err of the
// [StatusChange].
type ConnectionError struct {
	// Code is the WebSocket close code that the server sent, 1005 for a close
	// without a code, 0 if the connection ended without a close frame.
	Code int
	// Reason is the text that came with Code.
	Reason string
	// Err is what was found on this side; nil if the server closed.
	Err error
}

// Error describes the loss.
func (e *ConnectionError) Error() string {
	var b strings.Builder
	b.WriteString(ErrConnectionLost.Error())
	if e.Code != 0 {
		fmt.Fprintf(&b, ": closed by the server with code %d", e.Code)
		if e.Reason != "" {
			fmt.Fprintf(&b, " (%s)", e.Reason)
		}
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Is reports whether target is [ErrConnectionLost].
func (e *ConnectionError) Is(target error) bool { return target == ErrConnectionLost }

// Unwrap returns Err.
func (e *ConnectionError) Unwrap() error { return e.Err }

// final reports whether the server said not to come back: close codes 4400 to
// 4499.
func (e *ConnectionError) final() bool { return e.Code >= 4400 && e.Code <= 4499 }

// HandshakeError says that the server answered the upgrade request with
// something else than an upgrade that this client can use.
type HandshakeError struct {
	// StatusCode is the HTTP status of the answer; 101 if the upgrade itself was
	// at fault, as Err then says.
	StatusCode int
	// Body is the beginning of the answer's body, at most 4 KiB of it.
	Body []byte
	// Err is what was wrong with the answer.
	Err error
}

// Error describes the refusal, with the first line of the body.
func (e *HandshakeError) Error() string {
	msg := fmt.Sprintf("socka: handshake: %v", e.Err)
	if line, _, _ := strings.Cut(strings.TrimSpace(string(e.Body)), "\n"); line != "" {
		msg += ": " + clip(strings.TrimSpace(line), 200)
	}
	return msg
}

// Unwrap returns Err.
func (e *HandshakeError) Unwrap() error { return e.Err }

// final reports whether asking again is pointless: a status 4xx, other than
// those that speak of time or load.
func (e *HandshakeError) final() bool {
	switch e.StatusCode {
	case 408, 425, 429:
		return false
	}
	return e.StatusCode >= 400 && e.StatusCode <= 499
}

// final reports whether err ends the client for good.
func final(err error) bool {
	var f interface{ final() bool }
	return errors.As(err, &f) && f.final()
}

// clip shortens s to at most n bytes, at a character's boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
