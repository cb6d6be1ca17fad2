// Command gws is the ceiling: the WebSocket library that Socka is built on, echoing bytes and broadcasting them with
// gws.Broadcaster. It decodes nothing, checks nothing and bounds nothing.
package main

import (
	"log"
	"net/http"
	"sync"

	"github.com/gosocka/socka/benchmarks/internal/serve"
	"github.com/lxzan/gws"
)

type echo struct{ gws.BuiltinEventHandler }

func (echo) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	_ = c.WriteMessage(m.Opcode, m.Bytes())
}

func (echo) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

// rooms sends every message to all members of its sender's room.
type rooms struct {
	gws.BuiltinEventHandler
	mu  sync.Mutex
	all map[string]*members
}

type members struct {
	mu   sync.Mutex
	list map[*gws.Conn]struct{}
}

func (r *rooms) of(c *gws.Conn) *members {
	name, _ := c.Session().Load("room")
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.all[name.(string)]
	if m == nil {
		m = &members{list: make(map[*gws.Conn]struct{})}
		r.all[name.(string)] = m
	}
	return m
}

func (r *rooms) OnOpen(c *gws.Conn) {
	m := r.of(c)
	m.mu.Lock()
	m.list[c] = struct{}{}
	m.mu.Unlock()
	c.Session().Store("members", m)
}

func (r *rooms) OnClose(c *gws.Conn, _ error) {
	m := r.of(c)
	m.mu.Lock()
	delete(m.list, c)
	m.mu.Unlock()
}

func (r *rooms) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (r *rooms) OnMessage(c *gws.Conn, m *gws.Message) {
	// The broadcast is written later, by goroutines of gws, so the bytes must be ours.
	payload := append([]byte(nil), m.Bytes()...)
	opcode := m.Opcode
	_ = m.Close()
	value, _ := c.Session().Load("members")
	room := value.(*members)
	b := gws.NewBroadcaster(opcode, payload)
	room.mu.Lock()
	for member := range room.list {
		_ = b.Broadcast(member)
	}
	room.mu.Unlock()
	_ = b.Close()
}

func main() {
	echoes := gws.NewUpgrader(echo{}, nil)
	members := gws.NewUpgrader(&rooms{all: make(map[string]*members)}, &gws.ServerOption{
		Authorize: func(r *http.Request, s gws.SessionStorage) bool {
			s.Store("room", r.URL.Path)
			return true
		},
	})
	upgrade := func(u *gws.Upgrader) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, err := u.Upgrade(w, r)
			if err != nil {
				return
			}
			go c.ReadLoop() // so that what the HTTP server holds for the request is freed
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/echo", upgrade(echoes))
	mux.Handle("/room/", upgrade(members))
	if err := serve.Run(mux); err != nil {
		log.Fatal(err)
	}
}
