package room_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

type alarmIn struct {
	Name  string
	In    float64 // seconds
	Every float64 `json:",omitempty"`
	Cron  string  `json:",omitempty"`
	Rule  uint8   `json:",omitempty"`
	Clear bool    `json:",omitempty"`
}

var setAlarm = contract.NewCall[alarmIn, words](desk, "alarm")

// newClock is a desk with alarms, which notes what fires, and when.
func newClock(t *testing.T, change func(*room.Definition[deskState, deskUser])) *room.Definition[deskState, deskUser] {
	t.Helper()
	def := newDeskWithout(func(def *room.Definition[deskState, deskUser]) {
		def.SleepAfter = time.Second
		def.OnAlarm = func(_ context.Context, t *deskTurn, a room.Alarm) error {
			t.State.Fired = append(t.State.Fired, fmt.Sprintf("%s@%s", a.Name, a.At.Format("02 15:04:05")))
			if a.Missed > 0 {
				t.State.Fired = append(t.State.Fired, fmt.Sprintf("missed %d", a.Missed))
			}
			return nil
		}
		if change != nil {
			change(def)
		}
	})
	room.Handle(def, setAlarm, func(_ context.Context, t *deskTurn, in alarmIn) (w words, err error) {
		opts := []room.AlarmOption{room.CatchUp(room.CatchUpRule(in.Rule))}
		if in.Every > 0 {
			opts = append(opts, room.RepeatEvery(time.Duration(in.Every*float64(time.Second))))
		}
		if in.Cron != "" {
			opts = append(opts, room.RepeatCron(in.Cron, nil))
		}
		var at time.Time
		if in.In > 0 {
			at = time.Now().Add(time.Duration(in.In * float64(time.Second)))
		}
		if in.Clear {
			t.ClearAlarm(in.Name)
		} else if err = t.SetAlarm(in.Name, at, opts...); err != nil {
			return w, contract.Errorf(contract.InvalidInput, "%w", err)
		}
		for _, a := range t.Alarms() {
			w.Here = append(w.Here, a.Name)
		}
		return w, nil
	})
	return def
}

// A bubble begins at midnight of 1 January 2000, UTC.

// An alarm a year ahead fires asleep, over a restart, once, and costs nothing until then.
func TestAlarmAYearAhead(t *testing.T) {
	var fired atomic.Int64
	def := newClock(t, func(def *room.Definition[deskState, deskUser]) {
		def.OnAlarm = func(context.Context, *deskTurn, room.Alarm) error { fired.Add(1); return nil }
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1")
		roomtest.Call(ada, setAlarm, alarmIn{Name: "birthday", In: 366 * 24 * 3600})
		ada.Close()
		s.Advance(100 * 24 * time.Hour)
		s.Restart()
		s.Advance(100 * 24 * time.Hour)
		s.Crash()
		s.Advance(165 * 24 * time.Hour)
		if fired.Load() != 0 {
			t.Error("it fired too early")
		}
		s.Advance(2 * 24 * time.Hour)
		s.Restart()
		s.Advance(400 * 24 * time.Hour)
		if fired.Load() != 1 {
			t.Errorf("it fired %d times", fired.Load())
		}
	}, def)
}

// Alarms fire in the order of their time, then of their names, whether the room is awake, asleep with sockets, or away.
func TestAlarmsFireInOrder(t *testing.T) {
	for name, between := range map[string]func(*roomtest.Server, *roomtest.Client){
		"awake":  func(*roomtest.Server, *roomtest.Client) {},
		"asleep": func(s *roomtest.Server, _ *roomtest.Client) { s.Sleep("desk/1") },
		"empty": func(s *roomtest.Server, c *roomtest.Client) {
			c.Close()
			s.Settle()
			s.Sleep("desk/1")
		},
		"stopped": func(s *roomtest.Server, _ *roomtest.Client) { s.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			def := newClock(t, nil)
			roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
				ada := s.Connect("desk/1")
				for _, in := range []alarmIn{{Name: "c", In: 20}, {Name: "b", In: 10}, {Name: "a", In: 20}, {Name: "z", In: 5}} {
					roomtest.Call(ada, setAlarm, in)
				}
				got := roomtest.Call(ada, setAlarm, alarmIn{Name: "z", Clear: true})
				equal(t, "alarms", got.Here, []string{"b", "a", "c"})
				between(s, ada)
				s.Advance(30 * time.Second)
				equal(t, "fired", look1(s.Connect("desk/1")).Fired, []string{"b@01 00:00:10", "a@01 00:00:20", "c@01 00:00:20"})
			}, def)
		})
	}
}

// A repeating alarm catches up by its rule on what it missed while no server ran.
func TestCatchUp(t *testing.T) {
	for rule, want := range map[room.CatchUpRule]string{
		room.CatchUpAll:    "[t@01 00:00:00 t@01 01:00:00 t@01 02:00:00 t@01 03:00:00 t@01 04:00:00]",
		room.CatchUpLatest: "[t@01 00:00:00 t@01 03:00:00 missed 2 t@01 04:00:00]",
		room.CatchUpNone:   "[t@01 00:00:00 t@01 04:00:00 missed 3]",
	} {
		for _, by := range []alarmIn{{Every: 3600}, {Cron: "0 * * * *"}} {
			t.Run(fmt.Sprint(rule, by.Cron), func(t *testing.T) {
				def := newClock(t, nil)
				roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
					ada := s.Connect("desk/1")
					by.Name, by.In, by.Rule = "t", 1e-9, uint8(rule)
					roomtest.Call(ada, setAlarm, by)
					s.Advance(10 * time.Minute)
					s.Kill()
					s.Advance(3*time.Hour + 20*time.Minute) // 03:30
					s.Crash()
					s.Advance(40 * time.Minute) // 04:10
					if got := look1(s.Connect("desk/1")).Fired; fmt.Sprint(got) != want {
						t.Errorf("got  %v\nwant %v", got, want)
					}
				}, def)
			})
		}
	}
}

// A failing alarm is tried again, six times, then dropped and reported. One that repeats goes on.
func TestFailingAlarms(t *testing.T) {
	var runs atomic.Int64
	var dropped tally
	opts := quiet()
	opts.Hooks.AlarmDropped = func(e room.AlarmDroppedEvent) { dropped.add(e.Alarm.Name) }
	def := newClock(t, func(def *room.Definition[deskState, deskUser]) {
		def.OnAlarm = func(_ context.Context, t *deskTurn, a room.Alarm) error {
			if runs.Add(1); a.Name == "panics" {
				panic("no")
			}
			return errors.New("no")
		}
	})
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		ada := s.Connect("desk/1")
		roomtest.Call(ada, setAlarm, alarmIn{Name: "fails", In: 1})
		s.Advance(10 * time.Second)
		s.Restart()
		s.Advance(2 * time.Minute)
		if runs.Load() != 7 || fmt.Sprint(dropped.all()) != "[fails]" {
			t.Errorf("%d runs, dropped %v", runs.Load(), dropped.all())
		}
		ada = s.Connect("desk/1")
		runs.Store(0)
		roomtest.Call(ada, setAlarm, alarmIn{Name: "panics", In: 1, Every: 3600})
		s.Advance(59 * time.Minute)
		if runs.Load() != 7 || dropped.count() != 2 {
			t.Errorf("%d runs, dropped %v", runs.Load(), dropped.all())
		}
		s.Advance(5 * time.Minute)
		if runs.Load() != 14 || dropped.count() != 3 {
			t.Errorf("an hour later: %d runs, dropped %v", runs.Load(), dropped.all())
		}
	}, def)
}

func TestAlarmsAreChecked(t *testing.T) {
	opts := quiet()
	opts.MaxAlarms = 2
	def := newClock(t, nil)
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		ada := s.Connect("desk/1")
		for _, c := range []struct {
			in   alarmIn
			want string
		}{
			{alarmIn{}, "name"},
			{alarmIn{Name: strings.Repeat("x", 129)}, "128 bytes"},
			{alarmIn{Name: "a", Every: 0.001}, "1s"},
			{alarmIn{Name: "a", Cron: "* * *"}, "five fields"},
			{alarmIn{Name: "a", Cron: "0 0 30 2 *"}, "no such day"},
			{alarmIn{Name: "a", Cron: "@daily", Every: 3600}, "both"},
			{alarmIn{Name: "a", Rule: 3}, "CatchUpRule"},
		} {
			if err := roomtest.Refused(ada, setAlarm, c.in); !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %q", c.in, err, c.want)
			}
		}
		roomtest.Call(ada, setAlarm, alarmIn{Name: "a", In: 3600})
		roomtest.Call(ada, setAlarm, alarmIn{Name: "b", In: 3600})
		roomtest.Call(ada, setAlarm, alarmIn{Name: "b", In: 7200}) // the same one
		if err := roomtest.Refused(ada, setAlarm, alarmIn{Name: "c", In: 3600}); !strings.Contains(err.Error(), "MaxAlarms is 2") {
			t.Errorf("a third: %v", err)
		}
	}, def)
}
