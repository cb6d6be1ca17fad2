package room

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
)

// A key that comes a second time takes its session over if nobody is at the old connection any more; what the newcomer sent
// while that was found out is handled after it, and its end too.
func TestNewcomersWithAKeyWait(t *testing.T) {
	for _, c := range []struct {
		name        string
		alive, left bool
	}{{name: "dead"}, {name: "alive", alive: true}, {name: "dead, and the newcomer left", left: true}, {name: "alive, and the newcomer left", alive: true, left: true}} {
		t.Run(c.name, func(t *testing.T) {
			var resumed, detached []string
			def := &Definition[int, int]{
				OnResume: func(_ context.Context, t *Turn[int, int], _ int) error {
					resumed = append(resumed, t.Session.ID())
					return nil
				},
				OnDetach: func(_ context.Context, t *Turn[int, int]) error {
					detached = append(detached, t.Session.ID())
					return nil
				},
			}
			newBare(t, def, func(t *testing.T, s *Server) {
				id := ID{"c", "1"}
				key := keyHash(id, "secret")
				var first, second inbox
				attach := func(session string, box *inbox) *actors.PID {
					pid, err := s.system.Register("conn/"+session, box)
					if err != nil {
						t.Fatal(err)
					}
					e, err := s.acquire(id, true)
					if err != nil {
						t.Fatal(err)
					}
					s.system.Send(e.pid, &actors.Attach{From: pid, Session: session, Data: entrant{data: 0, create: true, key: key, principal: []byte("x")}})
					synctest.Wait()
					return e.pid
				}
				attach("first", &first)
				room := attach("second", &second)
				if len(first) != 1 {
					t.Fatalf("the old connection got %v", first)
				}
				if probe, ok := first[0].(*actors.Probe); !ok || probe.Session != "first" {
					t.Fatalf("the old connection got %T", first[0])
				}
				s.system.Send(room, &actors.Call{Session: "second", Number: 1, ID: "1", RPC: "none"})
				if c.left {
					s.system.Send(room, &actors.Detach{Session: "second"})
				}
				synctest.Wait()
				if len(second) > 0 {
					t.Fatalf("the newcomer got %v while it waits", second)
				}
				s.system.Send(room, &actors.Probed{Session: "first", Alive: c.alive})
				synctest.Wait()
				list, err := s.Room("c", "1").Sessions(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if len(second) == 0 {
					t.Error("the newcomer's call was not answered")
				} else if a, ok := second[0].(*actors.Answer); !ok || a.Number != 1 {
					t.Errorf("the newcomer got %T", second[0])
				}
				switch {
				case !c.alive:
					if len(list) != 1 || list[0].ID != "first" || list[0].Away.IsZero() == c.left || len(resumed) != 1 || len(detached) != 0 {
						t.Errorf("sessions %+v, resumed %v, detached %v", list, resumed, detached)
					}
					if last, ok := first[len(first)-1].(*actors.Close); !ok || last.Code != conn.CloseUnavailable {
						t.Errorf("the old connection got %v", first)
					}
				case c.left:
					if len(list) != 1 || list[0].ID != "first" || len(detached) != 1 || detached[0] != "second" {
						t.Errorf("sessions %+v, detached %v", list, detached)
					}
				default:
					if len(list) != 2 || len(resumed) != 0 {
						t.Errorf("sessions %+v, resumed %v", list, resumed)
					}
				}
			})
		})
	}
}
