package chat_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/examples/chat"
	"github.com/gosocka/socka/roomtest"
)

func TestChat(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada := s.Connect("chat/lobby?name=Ada")
		bob := s.Connect("chat/lobby?name=Bob&wire=msgpack") // encodings share a room

		// Who comes in is shown to the others, and asks who else is there.
		joined := roomtest.Expect(ada, chat.UserJoined)
		roomtest.ExpectNone(bob, chat.UserJoined)
		here := roomtest.Call(bob, chat.ListPresence, contract.None{})
		if len(here.Users) != 2 || here.Users[0].DisplayName != "Ada" || here.Users[1] != joined || here.SelfUserID != joined.UserID {
			t.Errorf("Bob came as %+v and sees %+v", joined, here)
		}

		// What is said reaches everybody, the speaker too.
		roomtest.Call(bob, chat.SendMessage, chat.SendMessageIn{Text: "hello"})
		row := roomtest.Expect(ada, chat.RoomMessage)
		if row.Text != "hello" || row.UserID != joined.UserID || row.DisplayName != "Bob" || row.TS != time.Now().UnixMilli() {
			t.Errorf("Ada got %+v", row)
		}
		if own := roomtest.Expect(bob, chat.RoomMessage); own != row {
			t.Errorf("Ada got %+v, Bob %+v", row, own)
		}

		// Who leaves is shown to the others.
		bob.Close()
		if left := roomtest.Expect(ada, chat.UserLeft); left != joined {
			t.Errorf("%+v left", left)
		}
	}, chat.Definition())
}

func TestHistory(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada := s.Connect("chat/lobby?name=Ada")
		if h := roomtest.Call(ada, chat.ListHistory, chat.ListHistoryIn{}); len(h.Messages) != 0 {
			t.Errorf("a new room has a history: %+v", h.Messages)
		}
		const said = chat.HistoryLength + 20
		for i := range said {
			roomtest.Call(ada, chat.SendMessage, chat.SendMessageIn{Text: strconv.Itoa(i)})
			s.Advance(10 * time.Millisecond) // a server takes 200 calls a second of one client
		}
		for limit, want := range map[int]int{0: chat.HistoryLength, 1: 1, 30: 30, chat.HistoryLength: chat.HistoryLength} {
			rows := roomtest.Call(ada, chat.ListHistory, chat.ListHistoryIn{Limit: limit}).Messages
			if len(rows) != want || rows[0].Text != strconv.Itoa(said-want) || rows[want-1].Text != strconv.Itoa(said-1) {
				t.Errorf("limit %d gives %d messages, want the last %d", limit, len(rows), want)
			}
		}

		// Clearing is for everybody; ids go on, so that no two messages ever share one.
		bob := s.Connect("chat/lobby?name=Bob")
		roomtest.Call(bob, chat.ClearHistory, contract.None{})
		if cleared := roomtest.Expect(ada, chat.HistoryCleared); cleared.ClearedByDisplayName != "Bob" {
			t.Errorf("the history was cleared: %+v", cleared)
		}
		roomtest.Call(bob, chat.SendMessage, chat.SendMessageIn{Text: "fresh"})
		rows := roomtest.Call(ada, chat.ListHistory, chat.ListHistoryIn{}).Messages
		if len(rows) != 1 || rows[0].Text != "fresh" || rows[0].ID != strconv.Itoa(said+1) {
			t.Errorf("the history is %+v", rows)
		}
	}, chat.Definition())
}

func TestTyping(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada, bob := s.Connect("chat/lobby?name=Ada"), s.Connect("chat/lobby?name=Bob")
		on := func() (list []bool) {
			for _, p := range roomtest.Pushes(ada, chat.UserTyping) {
				if p.DisplayName != "Bob" {
					t.Errorf("Ada got %+v", p)
				}
				list = append(list, p.On)
			}
			return list
		}
		roomtest.Send(bob, chat.Typing, chat.TypingIn{On: false})
		if got := on(); len(got) != 0 {
			t.Errorf("Bob does not type, as before: %v", got)
		}
		roomtest.Send(bob, chat.Typing, chat.TypingIn{On: true})
		if got := on(); len(got) != 1 || !got[0] {
			t.Errorf("Bob types: %v", got)
		}
		roomtest.ExpectNone(bob, chat.UserTyping) // he knows
		bob.Close()
		if got := on(); len(got) != 1 || got[0] {
			t.Errorf("Bob left in the middle of a sentence: %v", got)
		}
	}, chat.Definition())
}

// What was said is there when the room has slept and its server was started anew, and so are ids.
func TestHistoryLasts(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada := s.Connect("chat/lobby?name=Ada")
		roomtest.Call(ada, chat.SendMessage, chat.SendMessageIn{Text: "before"})
		s.Sleep("chat/lobby")
		roomtest.Call(ada, chat.SendMessage, chat.SendMessageIn{Text: "after a sleep"})
		s.Restart()
		bob := s.Connect("chat/lobby?name=Bob")
		roomtest.Call(bob, chat.SendMessage, chat.SendMessageIn{Text: "after a restart"})
		var said []string
		for _, row := range roomtest.Call(bob, chat.ListHistory, chat.ListHistoryIn{}).Messages {
			said = append(said, row.ID+" "+row.DisplayName+": "+row.Text)
		}
		if got := strings.Join(said, ", "); got != "1 Ada: before, 2 Ada: after a sleep, 3 Bob: after a restart" {
			t.Errorf("the history is %q", got)
		}
		if here := roomtest.Call(bob, chat.ListPresence, contract.None{}); len(here.Users) != 1 {
			t.Errorf("Bob is not alone: %+v", here.Users)
		}
	}, chat.Definition())
}

// With a resume key nobody has left who is back within a minute.
func TestComingBack(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		const key = "?sid=NobodyGuessesThisKey_1"
		ada, guest := s.Connect("chat/lobby?name=Ada"), s.Connect("chat/lobby"+key)
		joined := roomtest.Expect(ada, chat.UserJoined)
		roomtest.Send(guest, chat.Typing, chat.TypingIn{On: true})
		roomtest.Expect(ada, chat.UserTyping)
		guest.Close()
		s.Advance(59 * time.Second)
		roomtest.ExpectNone(ada, chat.UserLeft)
		guest = s.Connect("chat/lobby" + key)
		roomtest.ExpectNone(ada, chat.UserJoined)
		if still := roomtest.Expect(ada, chat.UserTyping); still.On || still.UserID != joined.UserID {
			t.Errorf("the sentence that was cut off: %+v", still)
		}
		if here := roomtest.Call(guest, chat.ListPresence, contract.None{}); here.SelfUserID != joined.UserID || here.Users[1] != joined {
			t.Errorf("%+v came back as %s among %+v", joined, here.SelfUserID, here.Users)
		}
		guest.Close()
		s.Advance(61 * time.Second)
		if left := roomtest.Expect(ada, chat.UserLeft); left != joined {
			t.Errorf("%+v left", left)
		}
	}, chat.Definition())
}

func TestRefused(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada := s.Connect("chat/lobby?name=Ada")
		for _, text := range []string{"", " \n\u00a0", strings.Repeat("ä", 2001)} {
			if err := roomtest.Refused(ada, chat.SendMessage, chat.SendMessageIn{Text: text}); err.Code != contract.InvalidInput || !strings.HasPrefix(err.Message, "text: ") {
				t.Errorf("a text of %d bytes: %v", len(text), err)
			}
		}
		if err := roomtest.Refused(ada, chat.ListHistory, chat.ListHistoryIn{Limit: 501}); err.Code != contract.InvalidInput {
			t.Error(err)
		}
		roomtest.Call(ada, chat.SendMessage, chat.SendMessageIn{Text: strings.Repeat("ä", 2000)})

		if _, err := s.Dial("chat/lobby?name=%20", nil); err == nil {
			t.Error("a blank name was let in")
		}
		guest := s.Connect("chat/lobby")
		if here := roomtest.Call(guest, chat.ListPresence, contract.None{}); len(here.Users) != 2 || here.Users[1].DisplayName == "" {
			t.Errorf("a guest without a name: %+v", here)
		}
	}, chat.Definition())
}
