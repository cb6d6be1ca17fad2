package bench

import (
	"context"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
)

// Contract is what passes between the room and the load.
var Contract = contract.New("bench")

// The calls, and the push that Publish causes.
var (
	Echo    = contract.NewCall[Text, Text](Contract, "echo", contract.CallOptions{Doc: "Answers with what it was given."})
	Publish = contract.NewCall[Numbered, contract.None](Contract, "publish", contract.CallOptions{Doc: "Sends a message to everybody in the room, the caller included."})
	Message = contract.NewPush[Numbered](Contract, "message", contract.PushOptions{Doc: "What somebody published. It is never dropped."})
)

// Text is a body of whatever length the measurement wants.
type Text struct {
	Text string `json:"text" jsonschema:"maxLength=1048576"`
}

// Numbered is a text with a number that the publisher chooses, by which it knows
// its message again: the load tool puts the time of sending there.
type Numbered struct {
	Text string `json:"text" jsonschema:"maxLength=1048576"`
	N    int64  `json:"n" jsonschema:"minimum=0"`
}

// Definition returns the room behind the contract. It has no state, lets everybody
// in and does not bound its sessions.
func Definition() *room.Definition[struct{}, struct{}] {
	def := &room.Definition[struct{}, struct{}]{Contract: Contract, MaxSessions: -1}
	room.Handle(def, Echo, func(_ context.Context, _ *room.Turn[struct{}, struct{}], in Text) (Text, error) {
		return in, nil
	})
	room.Handle(def, Publish, func(_ context.Context, t *room.Turn[struct{}, struct{}], in Numbered) (contract.None, error) {
		room.Broadcast(t, Message, in)
		return contract.None{}, nil
	})
	return def
}
