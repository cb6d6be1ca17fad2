package room_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
)

func TestNewServerRefuses(t *testing.T) {
	c := contract.New("c")
	call := contract.NewCall[contract.None, contract.None](c, "call")
	complete := func() *room.Definition[labState, labUser] {
		def := &room.Definition[labState, labUser]{Contract: c}
		room.Handle(def, call, func(context.Context, *labTurn, contract.None) (contract.None, error) { return contract.None{}, nil })
		return def
	}
	ticking := complete()
	ticking.TickEvery = time.Second
	named := complete()
	named.Kind = "not a name"
	exchanged := complete()
	exchanged.Contract = contract.New("d")
	contract.NewCall[contract.None, contract.None](exchanged.Contract, "call")
	type closed struct{ secret int }
	_ = closed{}.secret
	type deep struct {
		Players []struct{ Notify chan int }
	}
	for what, c := range map[string]struct {
		opts *room.Options
		defs []room.AnyDefinition
		want string
	}{
		"no definitions":       {nil, nil, "at least one Definition"},
		"no contract":          {nil, []room.AnyDefinition{&room.Definition[labState, labUser]{}}, "no Contract"},
		"no handler":           {nil, []room.AnyDefinition{&room.Definition[labState, labUser]{Contract: c}}, "no handler for call (defined at definition_test.go:"},
		"twice the same kind":  {nil, []room.AnyDefinition{complete(), complete()}, `two definitions of kind "c"`},
		"a bad kind":           {nil, []room.AnyDefinition{named}, `kind "not a name"`},
		"a rate without ticks": {nil, []room.AnyDefinition{ticking}, "do nothing without OnTick"},
		"an unexported field":  {nil, []room.AnyDefinition{room.AnyDefinition(bare[closed](t))}, "State.secret is not exported"},
		"a chan deep inside":   {nil, []room.AnyDefinition{bare[deep](t)}, "State.Players[].Notify is a chan"},
		"an interface":         {nil, []room.AnyDefinition{bare[struct{ Shape any }](t)}, "State.Shape is the interface"},
		"another contract":     {nil, []room.AnyDefinition{exchanged}, "no handler for call"},
		"a bad option":         {&room.Options{Wire: 7}, []room.AnyDefinition{complete()}, "Options.Wire"},
	} {
		srv, err := room.NewServer(c.opts, c.defs...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
		if srv != nil {
			t.Errorf("%s: a server was returned", what)
		}
	}
	srv, err := room.NewServer(nil, complete())
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// bare is a definition with nothing but a State.
func bare[State any](t *testing.T) room.AnyDefinition {
	return &room.Definition[State, struct{}]{Contract: contract.New("bare")}
}

func TestHandlePanics(t *testing.T) {
	c, other := contract.New("c"), contract.New("other")
	call := contract.NewCall[contract.None, contract.None](c, "call")
	foreign := contract.NewCall[contract.None, contract.None](other, "foreign")
	h := func(context.Context, *labTurn, contract.None) (contract.None, error) { return contract.None{}, nil }
	wantPanic := func(want string, f func()) {
		t.Helper()
		defer func() {
			if v, _ := recover().(string); !strings.Contains(v, want) {
				t.Errorf("panic %q, want %q", v, want)
			}
		}()
		f()
	}
	def := &room.Definition[labState, labUser]{Contract: c}
	room.Handle(def, call, h)
	wantPanic("there is one already, from definition_test.go:", func() { room.Handle(def, call, h) })
	wantPanic("belongs to contract other, not to c", func() { room.Handle(def, foreign, h) })
	wantPanic("set Definition.Contract first", func() { room.Handle(&room.Definition[labState, labUser]{}, call, h) })
}

func TestValidName(t *testing.T) {
	for name, ok := range map[string]bool{
		"lobby": true, "A.b_c~d-9": true, strings.Repeat("x", 128): true,
		"": false, ".": false, "..": false, strings.Repeat("x", 129): false, "a/b": false, "a b": false, "é": false, "a\x00": false, "%41": false,
	} {
		if err := room.ValidName(name); (err == nil) != ok {
			t.Errorf("ValidName(%q) = %v", name, err)
		}
	}
}
