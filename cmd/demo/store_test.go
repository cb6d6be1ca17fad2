package main

import (
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/examples/chat"
	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// say sends a message to the lobby and returns what its history is then.
func (p *process) say(t *testing.T, text string) (history []string) {
	t.Helper()
	ada := p.connect(t, "ws/chat/lobby?name=Ada")
	if _, err := client.Call(t.Context(), ada, chat.SendMessage, chat.SendMessageIn{Text: text}); err != nil {
		t.Fatal(err)
	}
	out, err := client.Call(t.Context(), ada, chat.ListHistory, chat.ListHistoryIn{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range out.Messages {
		history = append(history, row.ID+" "+row.Text)
	}
	return history
}

// testRestart runs one demo after the other with the same stores, named in any way, and wants each to go on where the one
// before has stopped.
func testRestart(t *testing.T, stores ...string) {
	t.Helper()
	skipWithoutSignals(t)
	var want []string
	for i, store := range stores {
		text := []string{"hello", "here again", "and again"}[i]
		want = append(want, string(rune('1'+i))+" "+text)
		p := start(t, "-store", store)
		if got := p.say(t, text); !slices.Equal(got, want) {
			t.Errorf("run %d: the history is %q, want %q", i+1, got, want)
		}
		if code := p.stop(t, syscall.SIGTERM); code != 0 {
			t.Errorf("run %d: exit code %d", i+1, code)
		}
	}
}

func TestStoreInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rooms.db")
	testRestart(t, path, "sqlite:"+path, "sqlite://"+path)
}

func TestStoreInPostgres(t *testing.T) {
	url := postgrestest.Shared(t).Database(t)
	testRestart(t, url, url)
}

func TestMemoryEndsWithTheProcess(t *testing.T) {
	skipWithoutSignals(t)
	for range 2 {
		p := start(t)
		if got := p.say(t, "hello"); len(got) != 1 {
			t.Errorf("the history is %q", got)
		}
		p.stop(t, syscall.SIGTERM)
	}
}
