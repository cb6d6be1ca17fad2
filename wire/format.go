package wire

import "fmt"

// Format is an encoding of the socka v1 wire. It is fixed for the life of a connection.
type Format uint8

const (
	// JSON travels in WebSocket text messages. It is the default.
	JSON Format = iota
	// Msgpack travels in WebSocket binary messages.
	Msgpack
)

// MaxDepth is the number of objects and arrays that may stand inside each other in a value. An envelope adds one level
// around its body. Deeper input is refused when it is decoded, deeper Go values (cycles among them) when they are encoded.
const MaxDepth = 64

// ParseFormat returns the format named "json" or "msgpack". The empty name is JSON.
func ParseFormat(s string) (Format, error) {
	switch s {
	case "", "json":
		return JSON, nil
	case "msgpack":
		return Msgpack, nil
	}
	return JSON, fmt.Errorf("wire: unknown format %q: use \"json\" or \"msgpack\"", clip(s))
}

// String returns the name that [ParseFormat] takes.
func (f Format) String() string {
	switch f {
	case JSON:
		return "json"
	case Msgpack:
		return "msgpack"
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}
