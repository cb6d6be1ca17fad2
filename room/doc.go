// Package room runs stateful realtime rooms: it is the server side of Socka.
//
// A [Definition] describes a kind of room by the contract that its clients share, the type of its state, the type of a
// session's data, and handlers. A [Server] is an http.Handler that clients connect to by WebSocket at
// {prefix}/{kind}/{room}; it starts rooms as they are asked for. Each room is an actor: everything that touches its
// state is a turn, and a room runs one turn at a time. Its state is in memory while it is awake, and kept in a store beyond
// that: over sleep, restarts and crashes.
//
//	def := &room.Definition[State, User]{Contract: chat.Contract}
//	def.Authenticate = func(r *http.Request, id room.ID) (User, error) { … }
//	room.Handle(def, chat.Send, func(ctx context.Context, t *room.Turn[State, User], in chat.SendIn) (contract.None, error) {
//		t.State.Rows = append(t.State.Rows, in.Text)
//		room.Broadcast(t, chat.Message, chat.Row{From: t.Session.Data.Name, Text: in.Text})
//		return contract.None{}, nil
//	})
//	srv, err := room.NewServer(&room.Options{Store: kept}, def) // sqlite.Open, postgres.Open; nil: memory
//	http.Handle("/ws/", srv)
//
// It may import all packages of ours but cluster, client, what builds on it, and the stores: it knows package store, not
// who implements it. It must not import the actor engine (that is actors) or the WebSocket library (that is conn).
//
// # Turns
//
// A turn is a call, a one-way call, OnAttach, OnDetach, OnResume, OnTick, OnAlarm, the continuation of [Go] or [HandleAsync],
// or an [Ask] from the server side. Within a turn t.State and the Data of sessions may be changed without locks.
//
//   - What a turn causes outside its room (pushes, the answer, closes, the start of work) leaves through one queue per
//     room, in turn order, and only if the turn succeeded; under [EachTurn] once it is durable, with all turns before it.
//   - An error drops the turn's outputs, not its changes to the state: check first, then change. Alarms that it has set or
//     cleared stay as they were.
//   - A panic is answered with a fixed text and reported. Under [EachTurn] state and Data are what they were before the turn;
//     otherwise they stay as the handler left them, or with [RestoreState] as they were last saved. More than 10 panics within
//     10 seconds close the room with conn.CloseRoomFailed.
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
//   - Batches of one room get into the store in the order of its turns, one at a time.
//   - Alarms that are due fire in the order of their time, then of their names.
//   - Nothing is ordered between two rooms.
//
// What a room sends while messages wait for it is written when it has handled them, once for each connection: after 64 turns
// at most, and after about as long as the writing takes (a millisecond, or 5 µs for each connection). What one message causes
// in a room that has nothing else to do is written at once.
//
// # Sessions
//
//	connect ─▶ Authenticate ─▶ MayCreate, if there is no such room ─▶ upgrade ─▶ OnAttach ─▶ calls … ─▶ OnDetach
//	             │ error: HTTP status    │ error: HTTP status                    │ error: close code   │    ▲
//	             ▼                       ▼                                       ▼                     │    │ Turn.Close, Kick, the
//	           refused                 refused                                 refused                 │    │ room is closed; without
//	                                                                                                   │    │ a key: the connection is
//	                       OnResume, if its principal comes back       the connection is gone, and     │    │ gone, or Shutdown
//	        ┌───────────────────────────────────────────────── away ◀── the session has a resume key ──┘    │
//	        ▼                                                    │                                          │
//	     calls …                                                 └──────────── ResumeFor is over ───────────┘
//
// A session is in t.Sessions() from its OnAttach until after its OnDetach. Without a resume key it ends with its connection.
// With one (sid in the URL, a secret of which only a hash is kept) it outlives that, and the process too: while it is away it
// is listed, [Session.Connected] is false, and what is sent to it is dropped. Removing a session and what its OnDetach changes
// are one save.
//
// When a room is loaded after the death of its process, sessions with a key are away from then on; the others leave. It
// is woken for that: for sessions without a key when its lease has ended, else ResumeFor later.
//
// # The life of a room
//
//	          attach, Ask with Create: New                 without work for SleepAfter,
//	          what is kept: also Ask, an alarm             with sockets open: saved
//	absent ─────────────────────────────────▶ active ───────────────────────────────────▶ asleep
//	   ▲                                        │ │ ◀───────────────────────────────────────
//	   │         no sockets: saved and released │ │    message, newcomer, who leaves, alarm
//	   ├────────────────────────────────────────┘ │
//	   ├── CloseRoom, Ref.Close, Shutdown: saved ─┤
//	   ├── repeated panics, fenced: as last saved ┤
//	   └── Destroy: nothing is kept ──────────────┘
//
// Work is: messages, work of [Go] and [HandleAsync], a save under way, an enabled tick. Keepalive wakes nobody. A room that
// cannot be saved stays awake.
//
// A room that nobody is in is kept for KeepEmpty. One whose state still equals what New made, without sessions or alarms,
// leaves nothing. A room name that nobody has used yet costs nothing.
//
// # Saving
//
// [Definition.Save] says what a crash may cost: nothing that anybody was told under [EachTurn], the last d and the time of one
// save under [Every], all since the room woke under [OnSleep]. Alarms are always saved as under EachTurn.
//
// Turns do not wait for saves. State and changed sessions are captured, that is encoded and compared with what the store has,
// as the last part of each turn under EachTurn, and every d, between two turns, under Every. One batch of a room is under way
// at a time; what is captured meanwhile goes with the next, and batches of many rooms travel together.
//
//	turn ─▶ captured ─▶ next batch ─▶ under way ─▶ durable ─▶ what the turns have caused leaves, in turn order
//	                     ▲  gathers while one is under way
//
// While the store is away no turn starts in a room whose batch has failed, nor in any once the lease has ended: state is kept,
// sockets stay open, calls are answered with unavailable, and the room goes on by itself. A call whose save takes longer than
// CommitTimeout is answered with outcome_unknown; its pushes leave when it is durable.
//
// A snapshot that cannot be read, or is of a newer [Definition.Version], is refused, reported, and left as it is. Older
// ones go through [Definition.Migrate].
//
// # Alarms
//
// [Turn.SetAlarm] has OnAlarm run at a time: in a room that is awake, asleep or only kept, in whichever server on the store
// wakes it. Taking a fired alarm away and what its turn changes are one save, so it takes effect once; OnAlarm itself may
// run more often. A failing one is tried again six times, then dropped and reported ([Hooks].AlarmDropped).
//
// # The store
//
// A server is an owner in its store, with a lease that it renews while it has rooms. A room that is loaded is the server's,
// under a new epoch, until it is released or the lease has ended and another server takes it. Every batch names the epoch and is
// refused when the room has another one: so a room has one writer, whatever clocks and leases do. A room that is refused ends
// at once, lets no answer and no push out, and its clients are told to connect again.
//
// A client that comes to a server while another has the room gets 503, which names that one.
//
// # Limits
//
// Who gets in is limited by default: same-origin requests only, and bounds on connections, messages and calls (package
// conn), on room names (see [ValidName]), on rooms in all and on how fast one address may start or wake them ([Options]), and
// on sessions per room, those that are away included ([Definition]). A room's state, alarms and what it holds back are
// bounded too ([Options]). Errors without a code reach clients as "internal error" only.
//
// # Asking rooms
//
// A handler may [Ask] another room and wait: its own room waits with it. So a ring of rooms that ask each other would
// wait for ever; an Ask that would close such a ring fails with ask_cycle instead. To wait without holding up the room,
// Ask within the work of [HandleAsync] or [Go]. A room that is kept is woken; one that does not exist is made with
// [Create] only.
package room
