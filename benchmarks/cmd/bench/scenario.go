package main

import (
	"context"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
)

// scenario is one kind of load, and who is put under it.
type scenario struct {
	name  string // for -only
	title string
	unit  string // what an operation is; "" where memory is measured
	who   []string
	load  interface {
		Run(context.Context, load.Server) (load.Result, error)
	}
}

// peers are all but the second encoding.
var peers = []string{socka, gws, centrifuge, nodeWS, socketIO}

// scenarios makes the list. Short loads are smaller: they show that everything works, and nothing of how fast it is.
func scenarios(t load.Times, short bool) []scenario {
	of := func(full, small int) int {
		if short {
			return small
		}
		return full
	}
	settle := time.Second
	if short {
		settle = 100 * time.Millisecond
	}
	members, rooms := of(1000, 100), of(1000, 50)
	everyone := append([]string{sockaMsgpack}, peers...)
	return []scenario{
		{"calls-64-depth-1", "Calls, 100 connections, depth 1, 64 B", "call", everyone, load.Calls{Connections: 100, Depth: 1, Size: 64, Times: t}},
		{"calls-64-depth-16", "Calls, 100 connections, depth 16, 64 B", "call", everyone, load.Calls{Connections: 100, Depth: 16, Size: 64, Times: t}},
		{"calls-1k-depth-1", "Calls, 100 connections, depth 1, 1 KiB", "call", everyone, load.Calls{Connections: 100, Depth: 1, Size: 1024, Times: t}},
		{"calls-1k-depth-16", "Calls, 100 connections, depth 16, 1 KiB", "call", everyone, load.Calls{Connections: 100, Depth: 16, Size: 1024, Times: t}},
		{"calls-64-rooms-of-4", "Calls, 100 connections in rooms of 4, depth 1, 64 B", "call", []string{socka, gws}, load.Calls{Connections: 100, Depth: 1, Size: 64, InRoom: 4, Times: t}},
		{"broadcast-saturating", "Broadcast to 1,000, saturating, 64 B", "delivery", peers, load.Broadcast{Rooms: 1, Members: members, Size: 64, Times: t}},
		{"broadcast-1k-saturating", "Broadcast to 1,000, saturating, 1 KiB", "delivery", peers, load.Broadcast{Rooms: 1, Members: members, Size: 1024, Times: t}},
		{"broadcast-20k", "Broadcast to 1,000 at 20,000 deliveries/s, 64 B", "delivery", peers, load.Broadcast{Rooms: 1, Members: members, Rate: 20, Size: 64, Times: t}},
		{"broadcast-overload", "1,500 publishes/s × 1,000 members offered, open loop, 64 B", "delivery", peers, load.Broadcast{Rooms: 1, Members: members, Rate: 1500, Size: 64, Times: t}},
		{"rooms", "1,000 rooms × 4 members, 10 broadcasts/s each, 64 B", "delivery", peers, load.Broadcast{Rooms: rooms, Members: 4, Rate: 10, Size: 64, Times: t}},
		{"rooms-20", "1,000 rooms × 4 members, 20 broadcasts/s each, 64 B", "delivery", peers, load.Broadcast{Rooms: rooms, Members: 4, Rate: 20, Size: 64, Times: t}},
		{"idle-connections", "Memory of an idle connection, of 10,000", "", peers, load.Idle{Connections: of(10_000, 500), Settle: settle}},
		{"idle-rooms", "Memory of an idle room without sessions, of 10,000", "", []string{socka}, load.Rooms{Rooms: of(10_000, 500), Settle: settle}},
	}
}
