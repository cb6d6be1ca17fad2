// Package room runs stateful realtime rooms: it is the server side of Socka.
//
// A [Definition] describes a kind of room by the contract that its clients share, the type of its state, the type of a
// session's data, and handlers. A [Server] is an http.Handler that clients connect to by WebSocket at
// {prefix}/{kind}/{room}; it starts rooms as they are asked for. Each room is an actor: everything that touches its
// state is a turn, and a room runs one turn at a time.
//
//	def := &room.Definition[State, User]{Contract: chat.Contract}
//	def.Authenticate = func(r *http.Request, id room.ID) (User, error) { … }
//	room.Handle(def, chat.Send, func(ctx context.Context, t *room.Turn[State, User], in chat.SendIn) (contract.None, error) {
//		t.State.Rows = append(t.State.Rows, in.Text)
//		room.Broadcast(t, chat.Message, chat.Row{From: t.Session.Data.Name, Text: in.Text})
//		return contract.None{}, nil
//	})
//	srv, err := room.NewServer(nil, def)
//	http.Handle("/ws/", srv)
//
// It may import all packages of ours but cluster, client and what builds on it. It must not import the actor engine
// (that is actors) or the WebSocket library (that is conn).
//
// # Turns
//
// A turn is a call, a one-way call, OnAttach, OnDetach, OnTick, the continuation of [Go] or [HandleAsync], or an [Ask]
// from the server side. Within a turn t.State and the Data of sessions may be changed without locks.
//
//   - What a turn causes outside its room (pushes, the answer, closes, the start of work) leaves through one queue per
//     room, in turn order, and only if the turn succeeded.
//   - An error drops the turn's outputs, not its changes to the state: check first, then change.
//   - A panic is answered with a fixed text and reported; the state stays as the handler left it, the room goes on. More
//     than 10 panics within 10 seconds close it with conn.CloseRoomFailed.
//   - A turn's ctx ends with TurnTimeout (or the asker's deadline), with the turn, or when the room must stop; never
//     because a socket closed.
//   - A t that is used after its turn panics.
//
// # What is ordered with what
//
//   - The calls of one connection run in the order in which they were sent and are answered in that order.
//   - What a room sends to one connection arrives in the order in which the room made it: a push made in a call's handler
//     is there before that call's answer.
//   - All members of a room see its broadcasts in the same order.
//   - A call that was received before its connection closed runs before that session's OnDetach.
//   - Nothing is ordered between two rooms.
//
// What a room sends while messages wait for it is written when it has handled them, once for each connection: after 64 turns
// at most, and after about as long as the writing takes (a millisecond, or 5 µs for each connection). What one message causes
// in a room that has nothing else to do is written at once.
//
// # Sessions
//
//	connect ─▶ Authenticate ─▶ MayCreate, if the room does not run ─▶ upgrade ─▶ OnAttach ─▶ calls … ─▶ OnDetach
//	             │ error: HTTP status    │ error: HTTP status                    │ error: close code        ▲
//	             ▼                       ▼                                       ▼                         │
//	           refused                 refused                                 refused       socket closes, Turn.Close, Kick,
//	                                                                                         the room ends, Shutdown
//
// A session is in t.Sessions() from its OnAttach until after its OnDetach. A socket that closes ends its session.
//
// # The life of a room
//
//	          attach, Ask with Create                 no session, no work, and
//	absent ───────────────────────────▶ active ─────────────────────────────────▶ absent
//	          New makes the state          │      the state equals New's, or KeepEmpty is over
//	                                       └──── CloseRoom, Ref.Close, repeated panics, Shutdown ──▶ absent
//
// State lives in memory and ends with the room. A room name that nobody has used yet, or that is absent, costs nothing.
//
// # Limits
//
// Who gets in is limited by default: same-origin requests only, and bounds on connections, messages and calls (package
// conn), on room names (see [ValidName]), on rooms in all and on how fast one address may start them ([Options]), and
// on sessions per room ([Definition]). Errors without a code reach clients as "internal error" only.
//
// # Asking rooms
//
// A handler may [Ask] another room and wait: its own room waits with it. So a ring of rooms that ask each other would
// wait for ever; an Ask that would close such a ring fails with ask_cycle instead. To wait without holding up the room,
// Ask within the work of [HandleAsync] or [Go].
package room
