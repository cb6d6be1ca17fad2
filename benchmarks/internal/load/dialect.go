package load

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/gosocka/socka/wire"
)

// Kind says what a message from a server is.
type Kind uint8

const (
	// Payload is an answer or a delivery, whichever the scenario asks for.
	Payload Kind = iota
	// Ready ends the greeting.
	Ready
	// Ping wants Dialect.Pong.
	Ping
	// Other is a message of no concern.
	Other
	// Failure is an error, or nothing that the dialect knows.
	Failure
)

// Dialect is the protocol of one contender.
type Dialect struct {
	Binary  bool
	Target  func(room string, calls bool) string      // path and query of the upgrade
	Hello   func(room string) string                  // sent after the upgrade; nil: the connection is ready at once
	Pong    string                                    // answers a Ping
	Call    func(dst []byte, n uint64, b Body) []byte // appends a call
	Publish func(dst []byte, n uint64, b Body) []byte // appends what makes the server send b to all of the room
	Kind    func(message []byte) Kind
	Lines   bool // a WebSocket message may hold several messages, one a line
}

// Body is the body of a message in both encodings.
type Body struct{ JSON, Msgpack []byte }

// mark is in every body, so that an answer without one is no answer.
var mark = []byte("mark")

// stampBase makes timestamps 15 digits long, and exact as a JavaScript number.
const stampBase = 100_000_000_000_000

// NewBody makes an object of five fields that takes size bytes as JSON. Its first field is the time.
func NewBody(size int, stamp int64) (Body, error) {
	b := fmt.Appendf(nil, `{"ts":%d,"n":7,"ok":true,"tag":%q,"text":"`, stampBase+stamp, mark)
	pad := size - len(b) - len(`"}`)
	if pad < 0 {
		return Body{}, fmt.Errorf("a body takes at least %d bytes, not %d", size-pad, size)
	}
	b = append(b, bytes.Repeat([]byte{'x'}, pad)...)
	b = append(b, `"}`...)
	m, err := wire.Transcode(nil, wire.Msgpack, wire.JSON, b)
	return Body{b, m}, err
}

// stamped sets the time of a body, in its JSON form only: what the scenarios with msgpack measure is calls, whose time is
// taken by their order.
func (b Body) stamped(ns int64) Body {
	at := len(`{"ts":`)
	strconv.AppendInt(b.JSON[at:at], stampBase+ns, 10)
	return b
}

var stampField = []byte(`"ts":`)

// stampOf finds the time in a delivery.
func stampOf(message []byte) (ns int64, ok bool) {
	i := bytes.Index(message, stampField)
	if i < 0 || len(message) < i+len(stampField)+15 {
		return 0, false
	}
	for _, c := range message[i+len(stampField):][:15] {
		ns = ns*10 + int64(c-'0')
	}
	return ns - stampBase, true
}

// Socka is the dialect of the library, and of the TypeScript server of the same wire.
func Socka(format wire.Format) *Dialect {
	body := func(b Body) []byte {
		if format == wire.Msgpack {
			return b.Msgpack
		}
		return b.JSON
	}
	response, event := []byte("serverResponse"), []byte("serverEvent")
	ids := func(name string) func(n uint64) string {
		var list [1024]string // more than calls on the way
		for i := range list {
			list[i] = name + "-" + strconv.Itoa(1000+i)
		}
		return func(n uint64) string { return list[n%uint64(len(list))] }
	}
	echo, publish := ids("echo"), ids("publish")
	return &Dialect{
		Binary: format == wire.Msgpack,
		Target: func(room string, _ bool) string { return "/ws/bench/" + room + "?wire=" + format.String() },
		Call: func(dst []byte, n uint64, b Body) []byte {
			return wire.AppendRequest(dst, format, echo(n), "echo", body(b))
		},
		Publish: func(dst []byte, n uint64, b Body) []byte {
			return wire.AppendRequest(dst, format, publish(n), "publish", body(b))
		},
		Kind: func(m []byte) Kind {
			head := m[:min(len(m), 32)]
			if bytes.Contains(head, response) || bytes.Contains(head, event) {
				return Payload
			}
			return Failure
		},
	}
}

// GWS is bytes as they are.
func GWS() *Dialect {
	same := func(dst []byte, _ uint64, b Body) []byte { return append(dst, b.JSON...) }
	return &Dialect{
		Target: func(room string, calls bool) string {
			if calls {
				return "/echo"
			}
			return "/room/" + room
		},
		Call: same, Publish: same,
		Kind: func([]byte) Kind { return Payload },
	}
}

// Centrifuge is its JSON protocol, version 2.
func Centrifuge() *Dialect {
	push, rpc, connect := []byte(`{"push":`), []byte(`"rpc":`), []byte(`"connect":`)
	return &Dialect{
		Lines:  true,
		Pong:   "{}",
		Target: func(string, bool) string { return "/connection/websocket" },
		Hello:  func(room string) string { return fmt.Sprintf(`{"id":1,"connect":{"data":{"room":%q}}}`, room) },
		Call: func(dst []byte, n uint64, b Body) []byte {
			dst = strconv.AppendUint(append(dst, `{"id":`...), n+2, 10)
			dst = append(dst, `,"rpc":{"method":"echo","data":`...)
			return append(append(dst, b.JSON...), `}}`...)
		},
		Publish: func(dst []byte, _ uint64, b Body) []byte {
			return append(append(append(dst, `{"send":{"data":`...), b.JSON...), `}}`...)
		},
		Kind: func(m []byte) Kind {
			head := m[:min(len(m), 32)]
			switch {
			case bytes.HasPrefix(m, push), bytes.Contains(head, rpc):
				return Payload
			case bytes.Contains(head, connect):
				return Ready
			case len(m) == 2:
				return Ping
			}
			return Failure
		},
	}
}

// SocketIO is Socket.IO 4 over a WebSocket from the start.
func SocketIO() *Dialect {
	return &Dialect{
		Pong: "3",
		Target: func(room string, _ bool) string {
			return "/socket.io/?EIO=4&transport=websocket&room=" + room
		},
		Hello: func(string) string { return "40" },
		Call: func(dst []byte, n uint64, b Body) []byte {
			dst = strconv.AppendUint(append(dst, "42"...), n, 10)
			return append(append(append(dst, `["echo",`...), b.JSON...), ']')
		},
		Publish: func(dst []byte, _ uint64, b Body) []byte {
			return append(append(append(dst, `42["publish",`...), b.JSON...), ']')
		},
		Kind: func(m []byte) Kind {
			switch {
			case len(m) > 2 && m[0] == '4' && (m[1] == '2' || m[1] == '3'):
				return Payload
			case len(m) > 2 && m[0] == '4' && m[1] == '0':
				return Ready
			case len(m) == 1 && m[0] == '2':
				return Ping
			case len(m) > 0 && m[0] == '0':
				return Other
			}
			return Failure
		},
	}
}
