// Package cron says when an alarm that repeats by a cron expression is next due.
package cron

import (
	"fmt"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// parser reads five fields: minute, hour, day of month (also L, L-3), month, day of week (also FRI#2, FRI#L; 0 and 7 are
// Sunday), and @hourly, @daily, @weekly, @monthly, @yearly. With both days given, either is enough, as crontab has it. It looks
// twelve years ahead, for there is no 29 February from 2096 to 2104.
var parser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom |
	cron.Descriptor | cron.DomL | cron.DowNth | cron.DowLast).WithMaxSearchYears(12)

// Schedule is a cron expression in a time zone. It may be used from any goroutine.
type Schedule struct {
	spec cron.Schedule
	loc  *time.Location
	// hourly: no hours are named, so the expression goes by elapsed time where clocks are changed.
	hourly bool
}

// Parse reads an expression. loc nil is UTC.
func Parse(expr string, loc *time.Location) (*Schedule, error) {
	if loc == nil {
		loc = time.UTC
	}
	fields := strings.Fields(expr)
	if len(fields) > 0 && strings.Contains(fields[0], "=") || len(fields) > 1 && strings.HasPrefix(fields[0], "@") {
		return nil, fmt.Errorf("cron: %q: a time zone or an interval inside the expression; give it beside the expression", expr)
	}
	spec, err := parser.Parse(expr)
	if err != nil {
		return nil, fmt.Errorf("cron: %q: %w; five fields are wanted: minute hour day-of-month month day-of-week", expr, err)
	}
	s := &Schedule{spec: spec, loc: loc}
	s.hourly = len(fields) == 5 && fields[1] == "*" || len(fields) == 1 && strings.EqualFold(fields[0], "@hourly")
	if spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("cron: %q: no such day is in any year", expr)
	}
	return s, nil
}

// Next is the first time after the one given at which the schedule is due, in its zone; zero if there is none within 12 years.
//
// An hour that is named means the clock on the wall: if that time is left out because clocks are put forward, it is due when
// they are; if it comes twice, the first time. With * for the hour, what the clock shows decides, whatever came before.
func (s *Schedule) Next(after time.Time) time.Time {
	after = after.In(s.loc)
	if s.hourly {
		return s.nextShown(after)
	}
	for wall := asUTC(after); ; {
		wall = s.spec.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if t := s.first(wall); t.After(after) {
			return t
		}
	}
}

// nextShown goes through the periods in which the zone's offset stays the same.
func (s *Schedule) nextShown(after time.Time) time.Time {
	horizon := after.AddDate(12, 0, 0)
	for at := after; at.Before(horizon); {
		_, end := at.ZoneBounds()
		_, offset := at.Zone()
		wall := asUTC(at)
		if !at.Equal(after) { // at is the beginning of a period, and in it
			wall = wall.Add(-time.Nanosecond)
		}
		wall = s.spec.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		t := wall.Add(-time.Duration(offset) * time.Second).In(s.loc)
		if end.IsZero() || t.Before(end) {
			return t
		}
		at = end
	}
	return time.Time{}
}

// first is the first instant at which the clock in the zone shows wall or, if it never does, has gone beyond it.
func (s *Schedule) first(wall time.Time) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, s.loc)
	start, end := t.ZoneBounds()
	switch shown := asUTC(t); {
	case shown.After(wall):
		return start
	case shown.Before(wall):
		return end
	case start.IsZero():
		return t
	}
	_, offset := start.Add(-1).Zone()
	if earlier := wall.Add(-time.Duration(offset) * time.Second).In(s.loc); earlier.Before(start) {
		return earlier
	}
	return t
}

// asUTC is what the clock shows at t, as if it were UTC.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
