package chat

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/examples/internal/nickname"
	"github.com/gosocka/socka/room"
)

// HistoryLength is how many messages a room keeps.
const HistoryLength = 500

// State is what a room knows. State and Member are plain data, so that a room can
// be saved and come back elsewhere.
type State struct {
	Rows   []Row // the last HistoryLength messages, oldest first
	LastID int64 // of the newest message ever; goes on when the history is cleared
}

// Member is what the room knows of one session.
type Member struct {
	Name   string
	Typing bool // and the others know
}

// Names for the two types with this room's parameters; every handler needs them.
type (
	turn    = room.Turn[State, Member]
	session = room.Session[Member]
)

// Definition returns the chat room, of kind "chat". Give it to room.NewServer.
func Definition() *room.Definition[State, Member] {
	def := &room.Definition[State, Member]{
		Contract:     Contract,
		Authenticate: authenticate,
		OnAttach:     onAttach,
		OnResume:     onResume,
		OnDetach:     onDetach,
		Principal:    func(Member) string { return "" }, // nobody has an account: the resume key alone says who comes back
	}
	room.HandleRead(def, ListHistory, listHistory)
	room.HandleRead(def, ListPresence, listPresence)
	room.Handle(def, SendMessage, sendMessage)
	room.Handle(def, ClearHistory, clearHistory)
	room.HandleOneWay(def, Typing, typing)
	return def
}

// authenticate runs before the upgrade. What it returns becomes t.Session.Data.
func authenticate(r *http.Request, _ room.ID) (Member, error) {
	name, err := nickname.FromRequest(r)
	return Member{Name: name}, err
}

// onAttach runs when the newcomer is in t.Sessions already. Others are told; the
// newcomer asks.
func onAttach(_ context.Context, t *turn) error {
	room.Broadcast(t, UserJoined, userOf(t.Session), room.Except(t.Session))
	return nil
}

// onResume runs when somebody whose connection was lost is back in time. Nobody was
// told of the absence. A sentence that was cut off is not being written any more.
func onResume(_ context.Context, t *turn, _ Member) error {
	if t.Session.Data.Typing {
		setTyping(t, false)
	}
	return nil
}

// onDetach is the session's last turn, after all its calls.
func onDetach(_ context.Context, t *turn) error {
	if t.Session.Data.Typing {
		setTyping(t, false)
	}
	room.Broadcast(t, UserLeft, userOf(t.Session), room.Except(t.Session))
	return nil
}

func listHistory(_ context.Context, t *turn, in ListHistoryIn) (History, error) {
	rows := t.State.Rows
	if in.Limit > 0 && in.Limit < len(rows) {
		rows = rows[len(rows)-in.Limit:]
	}
	return History{rows}, nil
}

func listPresence(_ context.Context, t *turn, _ contract.None) (Presence, error) {
	p := Presence{SelfUserID: t.Session.ID()}
	for _, s := range t.Sessions() {
		p.Users = append(p.Users, userOf(s))
	}
	return p, nil
}

func sendMessage(_ context.Context, t *turn, in SendMessageIn) (OK, error) {
	// The schema has checked the length. What it cannot say is checked here, before anything is changed.
	if strings.TrimSpace(in.Text) == "" {
		return OK{}, contract.Errorf(contract.InvalidInput, "text: must not be blank")
	}
	t.State.LastID++
	row := Row{
		ID:          strconv.FormatInt(t.State.LastID, 10),
		TS:          time.Now().UnixMilli(),
		UserID:      t.Session.ID(),
		DisplayName: t.Session.Data.Name,
		Text:        in.Text,
	}
	t.State.Rows = append(t.State.Rows, row)
	if extra := len(t.State.Rows) - HistoryLength; extra > 0 {
		t.State.Rows = slices.Delete(t.State.Rows, 0, extra)
	}
	room.Broadcast(t, RoomMessage, row) // reaches the caller too, ahead of the answer
	return OK{true}, nil
}

func clearHistory(_ context.Context, t *turn, _ contract.None) (OK, error) {
	t.State.Rows = nil
	by := userOf(t.Session)
	room.Broadcast(t, HistoryCleared, Cleared{time.Now().UnixMilli(), by.UserID, by.DisplayName})
	return OK{true}, nil
}

func typing(_ context.Context, t *turn, in TypingIn) error {
	// "Still typing" is passed on, as a page may let an old one lapse; "still not typing" is no news.
	if in.On || t.Session.Data.Typing {
		setTyping(t, in.On)
	}
	return nil
}

func setTyping(t *turn, on bool) {
	t.Session.Data.Typing = on
	by := userOf(t.Session)
	room.Broadcast(t, UserTyping, TypingUser{by.UserID, by.DisplayName, on}, room.Except(t.Session))
}

// userOf is how a session shows to others: its public id and name.
func userOf(s *session) User { return User{s.ID(), s.Data.Name} }
