package wire

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// MalformedError says why a message is no socka v1 envelope.
type MalformedError struct {
	// Reason is a short text for a log. It quotes at most a few bytes of the input.
	Reason string
	// ID is the id of the request when HasID is true.
	ID string
	// HasID is true if the message is well-formed JSON or msgpack, a clientRequest of version 1, and carries one string id:
	// somebody waits for an answer, so a server must send a serverError with this id.
	HasID bool
	// RPC is the name of the call, if HasID is true and there is one readable name.
	RPC string
}

func (e *MalformedError) Error() string { return "socka: " + e.Reason }

// ValueError says which part of a value cannot be read, written or bound.
type ValueError struct {
	// Path leads from the top of the value to the part, such as "items[2].text". It is empty for the value itself.
	Path string
	// Reason says what is wrong there, such as "expected string, received number".
	Reason string

	cause error
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// Unwrap returns the error of a MarshalJSON, UnmarshalText or similar method that failed, or nil.
func (e *ValueError) Unwrap() error { return e.cause }

func failf(format string, args ...any) *ValueError {
	return &ValueError{Reason: fmt.Sprintf(format, args...)}
}

// inField puts a field or map key before the path, on the way out of an error.
func (e *ValueError) inField(name string) *ValueError {
	seg := clip(name)
	if !plainName(seg) {
		seg = "[" + strconv.Quote(seg) + "]"
	}
	if e.Path != "" && e.Path[0] != '[' {
		seg += "."
	}
	e.Path = seg + e.Path
	return e
}

// inElem puts an index before the path.
func (e *ValueError) inElem(i int) *ValueError {
	seg := "[" + strconv.Itoa(i) + "]"
	if e.Path != "" && e.Path[0] != '[' {
		seg += "."
	}
	e.Path = seg + e.Path
	return e
}

// orNil turns a nil *ValueError into a nil error.
func (e *ValueError) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

func plainName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '_', c == '-', c == '$', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= utf8.RuneSelf:
		default:
			return false
		}
	}
	return s != ""
}

// clip bounds what an error message quotes of its input.
func clip[T string | []byte](s T) string {
	const most = 48
	if len(s) <= most {
		return string(s)
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return string(s[:n]) + "…"
}

func errDepth() *ValueError { return failf("nested deeper than %d levels", MaxDepth) }
