package room

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room/internal/cron"
	"github.com/gosocka/socka/store/snapshot"
)

// Alarm is a time at which a room wants to be woken and OnAlarm to run. A room may have many, told apart by their names.
type Alarm struct {
	Name   string
	At     time.Time      // when it is due, or was, for the OnAlarm that it causes
	Every  time.Duration  // it repeats at this interval; zero: not
	Cron   string         // it repeats by this expression; "": not
	Zone   *time.Location // of Cron
	Missed int            // occurrences before At that did not run, by the rule of CatchUpLatest or CatchUpNone
}

// CatchUpRule says what becomes of the occurrences of a repeating alarm that could not run in time, because no server was
// there or the room stood still. One that is less than 10 seconds late was not missed.
type CatchUpRule uint8

const (
	CatchUpLatest CatchUpRule = iota // the last of them runs
	CatchUpAll                       // each of them runs, one after the other
	CatchUpNone                      // none of them runs
)

// AlarmOption changes an alarm.
type AlarmOption func(*alarm) error

// RepeatEvery makes an alarm repeat at multiples of d from its first time. d is at least 1 second.
func RepeatEvery(d time.Duration) AlarmOption {
	return func(a *alarm) error {
		if d < time.Second {
			return fmt.Errorf("room: RepeatEvery(%v): the shortest interval of an alarm is 1s; use OnTick for what is faster", d)
		}
		a.Every = d
		return nil
	}
}

// RepeatCron makes an alarm repeat by a cron expression of five fields (minute, hour, day of month, month, day of week) or
// by @hourly, @daily, @weekly, @monthly or @yearly, in a time zone; nil: UTC. An hour that is named means what the clock on
// the wall shows: a time that is left out when clocks are put forward is due when they are, one that comes twice is due the
// first time.
func RepeatCron(expr string, zone *time.Location) AlarmOption {
	return func(a *alarm) (err error) {
		if zone == nil {
			zone = time.UTC
		}
		if zone.String() == "Local" {
			return fmt.Errorf("room: RepeatCron(%q, time.Local): where the alarm is loaded again, that may be another zone; load one by its name", expr)
		}
		a.Cron, a.Zone = expr, zone.String()
		return a.parse()
	}
}

// CatchUp sets the rule for missed occurrences of a repeating alarm. Default CatchUpLatest.
func CatchUp(rule CatchUpRule) AlarmOption {
	return func(a *alarm) error {
		if rule > CatchUpNone {
			return fmt.Errorf("room: there is no CatchUpRule %d", rule)
		}
		a.CatchUp = rule
		return nil
	}
}

// SetAlarm sets the alarm of a name, instead of one of the same name that there is, if this turn succeeds. At the time
// at, to the microsecond, OnAlarm runs, whether the room is awake, asleep, or its server has been started anew; a time that
// has passed means now. With a repeating alarm a zero at means its first time from now.
//
// Alarms are saved as under EachTurn, whatever the kind's policy: what this turn causes leaves the room once the alarm is
// durable. An alarm that fires is taken away together with what its turn changes, in one save, so that it takes effect
// once; its OnAlarm may run more than once, if a save fails or OnAlarm returns an error: then it is tried again after 1, 2,
// 4, 8, 16 and 32 seconds, and after that dropped and reported.
//
// It fails for a name of more than 128 bytes or none, with a bad option, and beyond Options.MaxAlarms alarms; and it
// panics if the kind has no OnAlarm.
func (t *Turn[State, Data]) SetAlarm(name string, at time.Time, opts ...AlarmOption) error {
	in := t.writing("SetAlarm")
	if in.room.kind.onAlarm == nil {
		panic("room: SetAlarm(" + name + ") of kind " + in.room.kind.name + ", which has no OnAlarm")
	}
	return in.setAlarm(name, at, opts)
}

// ClearAlarm takes an alarm away, if this turn succeeds.
func (t *Turn[State, Data]) ClearAlarm(name string) {
	in := t.writing("ClearAlarm")
	in.alarmed = append(in.alarmed, alarm{Name: name, cleared: true})
}

// Alarms lists the room's alarms as this turn leaves them, by the time at which they are due, then by name. One that fires
// now and does not repeat is not among them.
func (t *Turn[State, Data]) Alarms() []Alarm {
	in := t.live()
	list := slices.Clone(in.room.alarms.list)
	if in.fired != nil && !in.fired.repeats() {
		list = without(list, in.fired.Name)
	}
	for _, a := range in.alarmed {
		if list = without(list, a.Name); !a.cleared {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, compareAlarms)
	public := make([]Alarm, len(list))
	for i := range list {
		public[i] = list[i].public()
	}
	return public
}

// alarm is an alarm as it is kept.
type alarm struct {
	Name     string        `json:"name"`
	At       time.Time     `json:"at"`
	Retry    time.Time     `json:"retry,omitzero"` // when it is tried again
	Failures int           `json:"failures,omitempty"`
	Every    time.Duration `json:"every,omitempty"`
	Cron     string        `json:"cron,omitempty"`
	Zone     string        `json:"zone,omitempty"`
	CatchUp  CatchUpRule   `json:"catchUp,omitempty"`
	Missed   int           `json:"missed,omitempty"`

	schedule *cron.Schedule
	cleared  bool
}

// alarms are a room's.
type alarms struct {
	list    []alarm // in no order
	touched bool    // since they were captured
}

const (
	maxAlarmName     = 128
	maxAlarmFailures = 6
	alarmGrace       = 10 * time.Second
	// alarmsTogether is how many alarms fire before other messages have their turn.
	alarmsTogether = 64
)

func (a *alarm) repeats() bool { return a.Every > 0 || a.Cron != "" }

// due is when something is to be done for it.
func (a *alarm) due() time.Time {
	if !a.Retry.IsZero() {
		return a.Retry
	}
	return a.At
}

func (a *alarm) parse() error {
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return fmt.Errorf("room: the time zone of alarm %q: %w", a.Name, err)
	}
	if a.schedule, err = cron.Parse(a.Cron, zone); err != nil {
		return fmt.Errorf("room: RepeatCron: %w", err)
	}
	return nil
}

// after is the first occurrence after t, of a repeating alarm; zero if there is none any more.
func (a *alarm) after(t time.Time) time.Time {
	if a.schedule != nil {
		return a.schedule.Next(t)
	}
	return a.At.Add((max(t.Sub(a.At), 0)/a.Every + 1) * a.Every)
}

func (a *alarm) public() Alarm {
	p := Alarm{Name: a.Name, At: a.At, Every: a.Every, Cron: a.Cron, Missed: a.Missed}
	if a.Cron != "" {
		p.Zone, _ = time.LoadLocation(a.Zone)
	}
	return p
}

func compareAlarms(a, b alarm) int {
	return cmp.Or(a.due().Compare(b.due()), cmp.Compare(a.Name, b.Name))
}

func without(list []alarm, name string) []alarm {
	return slices.DeleteFunc(list, func(a alarm) bool { return a.Name == name })
}

func (t *turn) setAlarm(name string, at time.Time, opts []AlarmOption) error {
	a := alarm{Name: name}
	if name == "" || len(name) > maxAlarmName {
		return fmt.Errorf("room: the name of an alarm has 1 to %d bytes, this one %d", maxAlarmName, len(name))
	}
	for _, o := range opts {
		if err := o(&a); err != nil {
			return err
		}
	}
	if a.Every > 0 && a.Cron != "" {
		return fmt.Errorf("room: alarm %q cannot have both RepeatEvery and RepeatCron", name)
	}
	now := time.Now()
	switch {
	case !at.IsZero():
		a.At = at
	case a.Every > 0:
		a.At = now.Add(a.Every)
	case a.Cron != "":
		a.At = a.after(now)
	default:
		a.At = now
	}
	a.At = a.At.UTC().Truncate(time.Microsecond)
	if most := t.room.server.opts.MaxAlarms; most > 0 {
		if n := t.countAlarms(name); n >= most {
			return contract.Errorf(contract.ResourceExhausted, "room %s has %d alarms already; Options.MaxAlarms is %d", t.room.id, n, most)
		}
	}
	t.alarmed = append(t.alarmed, a)
	return nil
}

// countAlarms counts the alarms that there will be beside one of a name.
func (t *turn) countAlarms(but string) int {
	names := make(map[string]bool)
	for i := range t.room.alarms.list {
		names[t.room.alarms.list[i].Name] = true
	}
	for _, a := range t.alarmed {
		names[a.Name] = !a.cleared
	}
	names[but] = false
	n := 0
	for _, there := range names {
		if there {
			n++
		}
	}
	return n
}

// applyAlarms carries out what a turn has said of alarms: with it they are saved.
func (t *turn) applyAlarms(err error) {
	r := t.room
	if t.fired != nil {
		r.settleAlarm(t.fired, err)
	}
	if err != nil {
		return
	}
	for _, a := range t.alarmed {
		if r.alarms.list = without(r.alarms.list, a.Name); !a.cleared {
			r.alarms.list = append(r.alarms.list, a)
		}
		r.alarms.touched = true
	}
}

// settleAlarm takes an alarm away that has fired, or sets it to its next time; after an error it is tried again.
func (r *room) settleAlarm(fired *alarm, err error) {
	r.alarms.touched = true
	i := slices.IndexFunc(r.alarms.list, func(a alarm) bool { return a.Name == fired.Name })
	if i < 0 {
		return
	}
	a := &r.alarms.list[i]
	if err != nil {
		if a.Failures++; a.Failures <= maxAlarmFailures {
			a.Retry = time.Now().Add(time.Second << (a.Failures - 1)).UTC().Truncate(time.Microsecond)
			return
		}
		r.server.hooks.alarmDropped(AlarmDroppedEvent{ID: r.id, Alarm: a.public(), Failures: a.Failures, Err: err})
	}
	a.Retry, a.Failures, a.Missed = time.Time{}, 0, 0
	if a.repeats() {
		a.At = a.after(a.At).UTC()
	}
	if !a.repeats() || a.At.IsZero() {
		r.alarms.list = without(r.alarms.list, fired.Name)
	}
}

// catchUp sets a repeating alarm that is late to the occurrence that runs next, by its rule.
func (a *alarm) catchUp(now time.Time) {
	if !a.repeats() || a.CatchUp == CatchUpAll || !a.Retry.IsZero() {
		return
	}
	for {
		next := a.after(a.At)
		if next.IsZero() {
			return
		}
		late := now.Sub(a.At) >= alarmGrace
		if !late || a.CatchUp == CatchUpLatest && next.After(now) {
			return
		}
		if a.Every > 0 { // one step for them all
			last := a.At.Add(now.Sub(a.At) / a.Every * a.Every)
			if a.CatchUp == CatchUpNone && now.Sub(last) >= alarmGrace {
				last = last.Add(a.Every)
			}
			a.Missed += int(last.Sub(a.At) / a.Every)
			a.At = last.UTC()
			return
		}
		a.Missed++
		a.At = next.UTC()
	}
}

// fire runs OnAlarm for what is due, in the order of due time, then name.
func (r *room) fire() {
	if r.kind.onAlarm == nil { // not any more: they wait for a definition that has it
		return
	}
	for range alarmsTogether {
		now := time.Now()
		var first *alarm
		for i := range r.alarms.list {
			a := &r.alarms.list[i]
			if a.due().After(now) {
				continue
			}
			if a.catchUp(now); a.due().After(now) {
				r.alarms.touched = true // its missed occurrences are passed over
				continue
			}
			if first == nil || compareAlarms(*a, *first) < 0 {
				first = a
			}
		}
		if first == nil {
			return
		}
		fired := *first
		t := &turn{room: r, name: "OnAlarm", fired: &fired}
		t.run(func(t *turn) error { return r.kind.onAlarm(t, fired.public()) }, nil)
		if !r.active || r.stalled() {
			return
		}
	}
}

func (r *room) alarmsPart() []byte {
	if len(r.alarms.list) == 0 {
		return nil
	}
	slices.SortFunc(r.alarms.list, compareAlarms)
	data, err := snapshot.JSON.Marshal(&r.alarms.list)
	if err != nil {
		panic(fmt.Sprintf("room: a record of our own cannot be encoded: %v", err)) // it is made of plain values
	}
	h := r.header(contentAlarms)
	h.Encoding = snapshot.JSON
	return snapshot.Append(nil, h, data)
}

func (r *room) readAlarms(part []byte) (a alarms, err error) {
	_, body, err := r.unframe(contentAlarms, part)
	if err != nil {
		return a, err
	}
	if err := snapshot.JSON.Unmarshal(body, &a.list); err != nil {
		return a, fmt.Errorf("%w: %w", snapshot.ErrCorrupt, err)
	}
	for i := range a.list {
		if one := &a.list[i]; one.Cron != "" {
			if err := one.parse(); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}
