// Package roomtest tests rooms: a whole server with real clients in memory, in virtual time, without sockets or sleeps.
//
//	func TestChat(t *testing.T) {
//		roomtest.Run(t, func(s *roomtest.Server) {
//			ada, bob := s.Connect("chat/lobby?name=Ada"), s.Connect("chat/lobby?name=Bob")
//			roomtest.Call(ada, chat.Send, chat.SendIn{Text: "hello"})
//			if got := roomtest.Expect(bob, chat.Message); got.Text != "hello" {
//				t.Errorf("bob got %q", got.Text)
//			}
//		}, chat.Definition())
//	}
//
// Everything is real but the network and the clock: the HTTP upgrade, WebSocket frames, the gateway, the room actor,
// the Go client. Connections are pipes, and the test runs in a testing/synctest bubble: time stands still while
// anything can run, and [Server.Advance] jumps ahead. Options.CheckTurns is on: after every turn state and session data
// pass through the snapshot codec, so that a test finds out what a snapshot would lose, and a read-only turn that
// changes the state fails.
//
// Rooms are kept in a store, memory unless the options name another, which outlives the server: [Server.Sleep] puts a room to
// sleep, [Server.Restart] stops the server in good order and starts it anew, [Server.Crash] kills it first. So a test finds
// out what each of them costs:
//
//	roomtest.Call(ada, chat.Send, chat.SendIn{Text: "hello"})
//	s.Crash()
//	s.Advance(4 * time.Second) // until the dead server's lease has ended
//	ada = s.Connect("chat/lobby?name=Ada")
//	roomtest.Call(ada, chat.History, contract.None{})
//
// With package store/storefault the store fails on demand; a test that makes a store within the bubble uses [Start].
//
// When the function returns, the clients close and the server shuts down; a goroutine that is left over fails the test.
//
// It may import room and client and what they may import, and store.
package roomtest
