package integration

import (
	"strings"
	"testing"
	"time"
)

// What the judge of a story makes of what was told and what is read: each fault is found, and nothing else is.
func TestStoryJudge(t *testing.T) {
	killed := time.Now()
	acked := func(text string, at, life int, age time.Duration) *attempt {
		return &attempt{text: text, outcome: acknowledged, out: written{At: at, Life: life}, at: killed.Add(-age)}
	}
	told := func(text string, o outcome) *attempt { return &attempt{text: text, outcome: o} }
	push := func(text string) event { return event{what: pushed, text: text} }
	in := func(at int) event { return event{what: let, at: at} }
	one := []member{{Writer: "a", Resumable: true, Writes: 2}}

	for name, c := range map[string]struct {
		kind  string // kindEach by default
		calls []*attempt
		seen  []event
		pages []page // of one life after the other, from life 1
		want  string // in the first fault; "" for none
	}{
		"all is well": {
			calls: []*attempt{acked("a-0", 0, 0, 0), told("a-1", unknown), told("a-2", refused), told("a-3", unknown)},
			seen:  []event{{what: dialed}, in(0), push("a-0"), {what: dialed}, in(1), push("a-3")},
			pages: []page{{Entries: "a-0@0\na-3@0\n", Came: 3, Left: 2, Here: one}},
		},
		"lost":              {calls: []*attempt{acked("a-0", 0, 0, time.Hour)}, pages: []page{{}}, want: "a-0 was acknowledged in life 0 and is not there"},
		"twice":             {calls: []*attempt{told("a-0", unknown), told("b-0", unknown)}, pages: []page{{Entries: "a-0@0\n"}, {Entries: "a-0@0\nb-0@1\na-0@1\n"}}, want: "a-0 is there twice, as entries 0 and 2"},
		"refused and there": {calls: []*attempt{told("a-0", refused)}, pages: []page{{Entries: "a-0@0\n"}}, want: "told that it did not run"},
		"nobody's":          {pages: []page{{Entries: "a-0@0\n"}}, want: "nobody wrote a-0"},
		"elsewhere":         {calls: []*attempt{told("b-0", unknown), acked("a-0", 0, 0, 0)}, pages: []page{{Entries: "b-0@0\na-0@0\n"}}, want: "a-0 is entry 1; it was told that it is entry 0"},
		"gone later":        {calls: []*attempt{acked("a-0", 0, 0, 0)}, pages: []page{{Entries: "a-0@0\n"}, {}}, want: `entry 0 is "" now and was "a-0@0"`},
		"changed later":     {calls: []*attempt{told("a-0", unknown), told("b-0", unknown)}, pages: []page{{Entries: "a-0@0\n"}, {Entries: "b-0@0\n"}}, want: `entry 0 is "b-0@0" now and was "a-0@0"`},
		"out of turn":       {calls: []*attempt{told("a-0", unknown), told("a-1", unknown)}, pages: []page{{Entries: "a-1@0\na-0@0\n"}}, want: "a-0 comes after call 1 of that writer"},
		"seen and lost":     {calls: []*attempt{told("a-0", unknown)}, seen: []event{in(0), push("a-0")}, pages: []page{{}}, want: "a-0 was seen, and is not there"},
		"seen out of order": {
			calls: []*attempt{told("a-0", unknown), told("b-0", unknown)}, seen: []event{in(1), push("b-0"), push("a-0")},
			pages: []page{{Entries: "a-0@0\nb-0@0\n"}}, want: "a-0, entry 0, was seen when entry 2 was due",
		},
		"seen again": {
			calls: []*attempt{told("a-0", unknown)}, seen: []event{in(0), push("a-0"), {what: dialed}, push("a-0")},
			pages: []page{{Entries: "a-0@0\n"}}, want: "a-0, entry 0, was seen when entry 1 was due",
		},
		"missed": {
			calls: []*attempt{told("a-0", unknown), told("b-0", unknown)}, seen: []event{in(0), push("b-0")},
			pages: []page{{Entries: "a-0@0\nb-0@0\n"}}, want: "which the client has missed",
		},
		"seen too early": {
			calls: []*attempt{told("a-0", unknown)}, seen: []event{{what: dialed}, push("a-0"), in(1)},
			pages: []page{{Entries: "a-0@0\n"}}, want: "on a connection that was not let in yet",
		},
		"let in before": {
			calls: []*attempt{told("a-0", unknown)}, seen: []event{in(0), push("a-0"), {what: dialed}, in(0)},
			pages: []page{{Entries: "a-0@0\n"}}, want: "let in at entry 0, and had seen entry 0",
		},
		"session lost":      {pages: []page{{Came: 2, Left: 1}}, want: "2 sessions have come and 1 left"},
		"session is behind": {calls: []*attempt{told("a-0", unknown)}, pages: []page{{Entries: "a-0@0\n", Came: 1, Here: one}}, want: "the session of a counts 2 writes, and 1 are there"},
		"lost under Every":  {kind: kindEvery, calls: []*attempt{acked("a-0", 0, 0, 3*time.Second)}, pages: []page{{}}, want: "a-0 is lost; it was acknowledged 1s earlier than what the end of life 0 may have taken"},
		"may be lost":       {kind: kindEvery, calls: []*attempt{acked("a-0", 0, 0, time.Second)}, pages: []page{{}}},
		"not yet saved":     {kind: kindEvery, calls: []*attempt{acked("a-0", 0, 1, time.Hour)}, pages: []page{{Entries: "a-0@1\n"}, {}}},
		"saved and lost":    {kind: kindEvery, calls: []*attempt{told("a-0", unknown)}, pages: []page{{Entries: "a-0@0\n"}, {}}, want: `entry 0 is "" now and was "a-0@0"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(kindEach, "r")
			if c.kind != "" {
				s.kind = c.kind
			}
			for _, a := range c.calls {
				s.calls[a.text] = a
				s.settled = append(s.settled, a)
			}
			s.stream().events = c.seen
			var faults []string
			for i, p := range c.pages {
				l := lives{now: i + 1, safe: map[int]time.Time{0: killed.Add(-2 * time.Second)}}
				faults = append(faults, s.judge(s.look(), p, l)...)
			}
			switch {
			case c.want == "" && len(faults) > 0:
				t.Errorf("found %q", faults)
			case c.want != "" && (len(faults) == 0 || !strings.Contains(faults[0], c.want)):
				t.Errorf("found %q, want %q", faults, c.want)
			}
		})
	}
}
