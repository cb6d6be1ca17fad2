package main

import (
	"strings"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/wire"
)

// contender is one server program and how it is spoken to.
type contender struct {
	name    string
	command []string // relative to the benchmarks folder
	dialect *load.Dialect
	what    string
}

const (
	socka        = "socka"
	sockaMsgpack = "socka msgpack"
	gws          = "gws"
	centrifuge   = "centrifuge"
	nodeWS       = "node ws+zod"
	socketIO     = "socket.io"
)

var contenders = []contender{
	{socka, []string{"bin/socka"}, load.Socka(wire.JSON), "typed handlers in a room, input and output validated, JSON"},
	{sockaMsgpack, []string{"bin/socka"}, load.Socka(wire.Msgpack), "the same over msgpack"},
	{gws, []string{"bin/gws"}, load.GWS(), "echoes bytes; gws.Broadcaster; no decoding, no validation, no rooms' turns, no bounds"},
	{centrifuge, []string{"bin/centrifuge"}, load.Centrifuge(), "RPC handler that gives the bytes back; publications; JSON protocol, no validation"},
	{nodeWS, []string{"node", "--expose-gc", "node/ws.js"}, load.Socka(wire.JSON), "ws with zod, envelope and body validated in and out, the same wire as socka"},
	{socketIO, []string{"node", "--expose-gc", "node/socketio.js"}, load.SocketIO(), "acknowledged events; io.to(room).emit; no validation"},
}

// file is the name as part of a file's name.
func (c contender) file() string { return strings.ReplaceAll(c.name, " ", "-") }
