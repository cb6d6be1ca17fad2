// Package chat is a chat room: who is here, what was said, who is typing.
//
// contract.go is what clients and rooms agree on; Go clients import it, and the
// demo's page speaks it from JavaScript. room.go is the room behind it; only
// servers need it:
//
//	srv, err := room.NewServer(nil, chat.Definition())
//	…
//	http.Handle("/ws/", srv) // ws://…/ws/chat/{room}?name=Ada
//
// A member is a session: the same person in two tabs is two members, and one who
// comes back is a new one, with another userId, unless the client sends a resume
// key (sid in the URL) and is back within a minute: then nobody has left, and the
// name is that of before. The room
//
//   - keeps the last [HistoryLength] messages, in the order in which everybody
//     saw them, for as long as the room is kept: with a store for ever, whether
//     somebody is in it or not, else while somebody is and 5 minutes longer;
//   - tells the others, and not the newcomer, that somebody came, and asks the
//     newcomer to call listPresence and listHistory for what was before;
//   - takes back "is typing" for whoever leaves, or comes back, in the middle of a
//     sentence.
//
// It may import contract, room and the examples' own internal packages.
package chat
