package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// story is what clients were told of one room, and what has been read of it: what must be there for ever.
type story struct {
	kind, name string

	mu      sync.Mutex
	calls   map[string]*attempt // by text
	settled []*attempt          // since the last look
	streams []*stream

	// Of the last look.
	kept string // the entries that the store has: no later look may find them changed
	log  entryLog
	open []*attempt // under Every: acknowledged, and it is not known yet whether a kill has taken them

	counts counts
}

// attempt is what a writer knows of one call.
type attempt struct {
	text    string
	outcome outcome
	out     written
	at      time.Time // when it was told
}

type outcome uint8

const (
	pending      outcome = iota
	acknowledged         // it ran, and what it did is kept
	refused              // it certainly did not run
	unknown              // nobody knows
)

// counts are for the log, and show that a test had something to find.
type counts struct {
	acknowledged, refused, unknown, pushes int
	judged, lost                           int // under Every: those old enough that they must be there, those that a kill took
}

func (c *counts) add(o counts) {
	c.acknowledged += o.acknowledged
	c.refused += o.refused
	c.unknown += o.unknown
	c.pushes += o.pushes
	c.judged += o.judged
	c.lost += o.lost
}

func newStory(kind, name string) *story {
	return &story{kind: kind, name: name, calls: make(map[string]*attempt), log: newEntryLog()}
}

// send notes that a call is about to be made.
func (s *story) send(text string) *attempt {
	c := &attempt{text: text}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[text] = c
	return c
}

// settle notes how it went.
func (s *story) settle(c *attempt, o outcome, out written) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.outcome, c.out, c.at = o, out, time.Now()
	s.settled = append(s.settled, c)
}

// stream is what one client has been pushed of the room.
type stream struct {
	mu     sync.Mutex
	events []event

	next  int  // the entry that comes next
	fresh bool // the client has no connection, or was not told yet with which entry it begins
}

// event is a push of an entry, or one of the other things that happen to a client.
type event struct {
	what what
	text string // of an entry
	at   int    // the entry that comes next
}

type what uint8

const (
	pushed what = iota // an entry
	let                // in: it was told with which entry its connection begins
	dialed             // it has no connection any more, and tries to get one
)

func (s *story) stream() *stream {
	st := &stream{fresh: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams = append(s.streams, st)
	return st
}

func (st *stream) add(e event) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.events = append(st.events, e)
}

// look is what is known of a room before it is read. What is told afterwards need not be in what is read.
type look struct {
	settled []*attempt
	events  [][]event // by stream
}

func (s *story) look() look {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := look{settled: s.settled}
	s.settled = nil
	for _, st := range s.streams {
		st.mu.Lock()
		l.events = append(l.events, st.events)
		st.events = nil
		st.mu.Unlock()
	}
	return l
}

// lives is what is known of the lives of the server.
type lives struct {
	now  int               // that in which the room is read
	safe map[int]time.Time // what was acknowledged in a life before this time is there under Every; zero: it is not known
}

// entryLog is what is known of entries in their order.
type entryLog struct {
	before *entryLog      // of the entries before them, nil for none
	first  int            // the number of the first
	at     map[string]int // by text
	writes map[string]int // by writer
	last   map[string]int // the last call, by writer
}

func newEntryLog() entryLog {
	return entryLog{at: make(map[string]int), writes: make(map[string]int), last: make(map[string]int)}
}

// after is a log that goes on where another one ends.
func (e *entryLog) after() *entryLog {
	next := newEntryLog()
	next.before, next.first = e, e.count()
	return &next
}

func (e *entryLog) count() int { return e.first + len(e.at) }

func (e *entryLog) find(text string) (at int, there bool) {
	if at, there = e.at[text]; !there && e.before != nil {
		return e.before.find(text)
	}
	return at, there
}

func (e *entryLog) writesOf(writer string) int {
	n := e.writes[writer]
	if e.before != nil {
		n += e.before.writesOf(writer)
	}
	return n
}

func (e *entryLog) lastOf(writer string) (n int, any bool) {
	if n, any = e.last[writer]; !any && e.before != nil {
		return e.before.lastOf(writer)
	}
	return n, any
}

// add takes the next entry.
func (e *entryLog) add(text string, wrong func(string, ...any)) {
	writer, number, _ := strings.Cut(text, "-")
	n, err := strconv.Atoi(number)
	if last, any := e.lastOf(writer); err != nil || any && n <= last {
		wrong("%s comes after call %d of that writer", text, last)
	}
	e.at[text] = e.count()
	e.writes[writer]++
	e.last[writer] = n
}

// judge compares what is read of a room with what was told before, and says what is wrong.
func (s *story) judge(before look, p page, l lives) (faults []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := func(format string, args ...any) {
		faults = append(faults, "room "+s.kind+"/"+s.name+": "+fmt.Sprintf(format, args...))
	}
	here := s.entries(p, l, wrong)
	s.sessions(p, here, wrong)
	s.outcomes(before, here, l, wrong)
	if s.kind == kindEach {
		for i, events := range before.events {
			s.counts.pushes += len(events)
			s.streams[i].judge(events, here, wrong)
		}
	}
	return faults
}

// entries compares with what was there before, and says what is there.
func (s *story) entries(p page, l lives, wrong func(string, ...any)) *entryLog {
	rest, same := strings.CutPrefix(p.Entries, s.kept)
	if !same {
		was, is := strings.Split(s.kept, "\n"), strings.Split(p.Entries, "\n")
		i := 0
		for i < min(len(was), len(is)) && was[i] == is[i] {
			i++
		}
		wrong("entry %d is %q now and was %q", i, is[min(i, len(is)-1)], was[i])
		return &s.log
	}
	to, end := &s.log, len(s.kept)
	for line := range strings.Lines(rest) {
		text, life, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "@")
		i := to.count()
		if s.kind == kindEvery && life == strconv.Itoa(l.now) { // it is not kept yet
			if to == &s.log {
				to = s.log.after()
			}
		} else if to != &s.log {
			wrong("entry %d, %s, is of an earlier life than the one before", i, text)
		}
		if first, twice := to.find(text); twice {
			wrong("%s is there twice, as entries %d and %d", text, first, i)
			break
		}
		switch c := s.calls[text]; {
		case c == nil:
			wrong("nobody wrote %s, which is entry %d", text, i)
		case c.outcome == refused:
			wrong("%s is there as entry %d; it was told that it did not run", text, i)
		}
		to.add(text, wrong)
		if to == &s.log {
			end += len(line)
		}
	}
	s.kept = p.Entries[:end]
	return to
}

// sessions compares what sessions have done with what is kept of them, which is saved together.
func (s *story) sessions(p page, here *entryLog, wrong func(string, ...any)) {
	if p.Came-p.Left != len(p.Here) {
		wrong("%d sessions have come and %d left, and these are there: %+v", p.Came, p.Left, p.Here)
	}
	for _, m := range p.Here {
		if n := here.writesOf(m.Writer); m.Resumable && n != m.Writes {
			wrong("the session of %s counts %d writes, and %d are there; these are there: %+v", m.Writer, m.Writes, n, p.Here)
		}
	}
}

// outcomes compares with what callers were told.
func (s *story) outcomes(before look, here *entryLog, l lives, wrong func(string, ...any)) {
	for _, c := range before.settled {
		at, there := here.find(c.text)
		switch c.outcome {
		case acknowledged:
			s.counts.acknowledged++
			if s.kind == kindEvery {
				s.open = append(s.open, c)
			} else if !there {
				wrong("%s was acknowledged in life %d and is not there in life %d", c.text, c.out.Life, l.now)
			} else if at != c.out.At {
				wrong("%s is entry %d; it was told that it is entry %d", c.text, at, c.out.At)
			}
		case refused:
			s.counts.refused++
			if there {
				wrong("%s is there as entry %d; it was told that it did not run", c.text, at)
			}
		case unknown:
			s.counts.unknown++
		}
	}
	s.open = slices.DeleteFunc(s.open, func(c *attempt) bool {
		if c.out.Life == l.now {
			return false
		}
		_, there := here.find(c.text)
		must := c.at.Before(l.safe[c.out.Life])
		if must {
			s.counts.judged++
		}
		if !there {
			s.counts.lost++
			if must {
				wrong("%s is lost; it was acknowledged %v earlier than what the end of life %d may have taken", c.text, l.safe[c.out.Life].Sub(c.at), c.out.Life)
			}
		}
		return true
	})
}

// judge follows the pushes: each is of an entry that is there, they come in the order of the entries, and none is left out
// while a connection lasts.
func (st *stream) judge(events []event, here *entryLog, wrong func(string, ...any)) {
	for _, e := range events {
		switch e.what {
		case dialed:
			st.fresh = true
		case let:
			if e.at < st.next {
				wrong("a client was let in at entry %d, and had seen entry %d", e.at, st.next-1)
			}
			st.next, st.fresh = e.at, false
		case pushed:
			at, there := here.find(e.text)
			switch {
			case !there:
				wrong("%s was seen, and is not there", e.text)
				continue
			case at < st.next:
				wrong("%s, entry %d, was seen when entry %d was due", e.text, at, st.next)
			case st.fresh:
				wrong("%s, entry %d, was seen on a connection that was not let in yet", e.text, at)
			case at > st.next:
				wrong("%s, entry %d, was seen when entry %d was due, which the client has missed", e.text, at, st.next)
			}
			st.next = at + 1
		}
	}
}
