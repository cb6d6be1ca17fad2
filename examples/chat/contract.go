package chat

import "github.com/gosocka/socka/contract"

// Contract is everything that passes between a chat room and its members.
var Contract = contract.New("chat")

// What a member may ask of the room.
var (
	ListHistory  = contract.NewCall[ListHistoryIn, History](Contract, "listHistory", contract.CallOptions{Doc: "The last messages, oldest first."})
	ListPresence = contract.NewCall[contract.None, Presence](Contract, "listPresence", contract.CallOptions{Doc: "Who is in the room, in order of joining, and who of them the caller is."})
	SendMessage  = contract.NewCall[SendMessageIn, OK](Contract, "sendMessage", contract.CallOptions{Doc: "Says something to everybody, the caller included. A text of white space alone is refused with invalid_input."})
	ClearHistory = contract.NewCall[contract.None, OK](Contract, "clearHistory", contract.CallOptions{Doc: "Forgets all messages, for everybody."})
	Typing       = contract.NewOneWay[TypingIn](Contract, "typing", contract.OneWayOptions{Doc: "The caller begins, goes on or stops writing."})
)

// What the room tells its members. Somebody who reads too slowly is sent only the
// newest of each member's userTyping: an older one is of no use to anybody. None
// of the others may be lost.
var (
	UserJoined     = contract.NewPush[User](Contract, "userJoined", contract.PushOptions{Doc: "Somebody else came in."})
	UserLeft       = contract.NewPush[User](Contract, "userLeft", contract.PushOptions{Doc: "Somebody else left."})
	RoomMessage    = contract.NewPush[Row](Contract, "roomMessage", contract.PushOptions{Doc: "Somebody, perhaps the receiver, said something."})
	HistoryCleared = contract.NewPush[Cleared](Contract, "historyCleared", contract.PushOptions{Doc: "All messages so far are forgotten."})
	UserTyping     = contract.NewPush[TypingUser](Contract, "userTyping", contract.PushOptions{Doc: "Somebody else begins, goes on or stops writing.", Delivery: contract.LatestBy("userId")})
)

// ListHistoryIn says how many messages are wanted: 1 to 500, all that there are
// if left out.
type ListHistoryIn struct {
	Limit int `json:"limit,omitempty" jsonschema:"minimum=1,maximum=500"`
}

// History is a list of messages, oldest first.
type History struct {
	Messages []Row `json:"messages"`
}

// Row is one message.
type Row struct {
	ID          string `json:"id"`                                                // unique in its room
	TS          int64  `json:"ts" jsonschema:"description=epoch milliseconds"`    // by the server's clock
	UserID      string `json:"userId"`                                            // who said it
	DisplayName string `json:"displayName" jsonschema:"minLength=1,maxLength=40"` // as it was then
	Text        string `json:"text" jsonschema:"minLength=1,maxLength=2000"`
}

// Presence is who is in the room.
type Presence struct {
	SelfUserID string `json:"selfUserId"`
	Users      []User `json:"users"`
}

// User is one member.
type User struct {
	UserID      string `json:"userId"`
	DisplayName string `json:"displayName" jsonschema:"minLength=1,maxLength=40"`
}

// SendMessageIn is what somebody says: 1 to 2,000 characters, not all of them
// white space.
type SendMessageIn struct {
	Text string `json:"text" jsonschema:"minLength=1,maxLength=2000"`
}

// OK is {"ok": true}, the answer of a call that has nothing more to say.
type OK struct {
	OK bool `json:"ok"`
}

// TypingIn says whether the caller is writing.
type TypingIn struct {
	On bool `json:"on"`
}

// TypingUser says whether a member is writing.
type TypingUser struct {
	UserID      string `json:"userId"`
	DisplayName string `json:"displayName" jsonschema:"minLength=1,maxLength=40"`
	On          bool   `json:"on"`
}

// Cleared says when the history was cleared, in epoch milliseconds, and by whom.
type Cleared struct {
	TS                   int64  `json:"ts" jsonschema:"description=epoch milliseconds"`
	ClearedByUserID      string `json:"clearedByUserId"`
	ClearedByDisplayName string `json:"clearedByDisplayName" jsonschema:"minLength=1,maxLength=40"`
}
