package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// campaign is a crowd of writers that go on through all lives of a server.
type campaign struct {
	t       testing.TB
	at      place
	stories []*story
	writers []*writer
	running sync.WaitGroup
	stop    context.CancelFunc

	acknowledged atomic.Int64
	slowest      atomic.Int64 // ns: the longest that a call under EachTurn has waited for its answer on a connection, in this life
	troubled     atomic.Bool  // the server refused a call in this life
	codes        sync.Map     // contract.Code of refusals and unknown outcomes of the server, for tests that want some
}

// writer is a client that writes one call after the other. Its name is in everything that it writes.
type writer struct {
	*campaign
	name    string
	story   *story
	stream  *stream
	client  *client.Client
	pause   time.Duration // between calls, at most
	random  *rand.Rand
	written atomic.Int64 // calls that were acknowledged
}

// load says how large a campaign is.
type load struct {
	each, every int           // rooms
	pause       time.Duration // of each writer between calls, at most
	seed        uint64
}

// newCampaign starts writers: one for each room, and a second for every fourth room, so that pushes go to others too. Half
// of them keep their sessions, and half of them speak msgpack. They end with the test at the latest.
func newCampaign(t testing.TB, l load) *campaign {
	t.Helper()
	c := &campaign{t: t}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	t.Cleanup(c.end)
	for i := range l.each + l.every {
		s := newStory(kindEach, fmt.Sprint("r", i))
		if i >= l.each {
			s.kind = kindEvery
		}
		c.stories = append(c.stories, s)
		for j := range 1 + (i+3)%4/3 {
			w := &writer{campaign: c, name: fmt.Sprintf("w%d_%d", i, j), story: s, stream: s.stream(), pause: l.pause}
			w.random = rand.New(rand.NewPCG(l.seed, uint64(len(c.writers))))
			query := "?writer=" + w.name + "&wire=" + wire.Format(len(c.writers)%2).String()
			if len(c.writers)/2%2 == 0 {
				query += "&resumable&sid=" + w.name + strings.Repeat("-", 30)
			}
			w.client = w.dialer(s.kind + "/" + s.name + query)
			c.writers = append(c.writers, w)
		}
	}
	for _, w := range c.writers {
		c.running.Go(func() { w.run(ctx) })
	}
	return c
}

// end stops the writers and waits for them.
func (c *campaign) end() {
	c.stop()
	c.running.Wait()
	for _, w := range c.writers {
		_ = w.client.Close()
	}
}

// dialer makes the writer's client, whose stream has all that reaches it, in order: a connection is dialed after the last
// frame of the one before was read, and before its own first.
func (w *writer) dialer(path string) *client.Client {
	return client.New("ws://ledgers.test/ws/"+path, &client.Options{
		Logger:    slog.New(slog.DiscardHandler),
		Reconnect: client.ReconnectOptions{Initial: 10 * time.Millisecond, Max: 50 * time.Millisecond},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			w.stream.add(event{what: dialed})
			return w.at.dial(ctx, network, addr)
		},
		Observe: func(f wire.Frame) {
			if f.Kind != wire.ServerEvent {
				return
			}
			var e entry
			var b begin
			var err error
			switch f.Event {
			case wroteThis.Name():
				err = wroteThis.Def().Decode(w.client.Wire(), f.Body, &e)
				w.stream.add(event{what: pushed, text: e.Text})
			case entered.Name():
				err = entered.Def().Decode(w.client.Wire(), f.Body, &b)
				w.stream.add(event{what: let, at: b.At})
			}
			if err != nil {
				w.t.Errorf("%s got a push that is none: %v", w.name, err)
			}
		},
	})
}

// run writes until ctx ends.
func (w *writer) run(ctx context.Context) {
	for w.client.Connect(ctx) != nil && ctx.Err() == nil {
		wait(ctx, 20*time.Millisecond)
	}
	for n := 0; ctx.Err() == nil; n++ {
		a := w.story.send(fmt.Sprintf("%s-%d", w.name, n))
		began, connected := time.Now(), w.client.Status() == client.Open
		out, err := client.Call(ctx, w.client, writeIt, entry{a.text})
		switch code := contract.CodeOf(err); {
		case err == nil:
			w.story.settle(a, acknowledged, out)
			w.written.Add(1)
			w.acknowledged.Add(1)
			if w.story.kind == kindEach && connected {
				atLeast(&w.slowest, int64(time.Since(began)))
			}
		case code == contract.Unavailable:
			w.story.settle(a, refused, out)
			w.refusal(code, err)
		case code == contract.OutcomeUnknown, ctx.Err() != nil:
			w.story.settle(a, unknown, out)
			w.refusal(code, err)
		default:
			w.t.Errorf("%s: %v", a.text, err)
			return
		}
		most := w.pause
		if w.random.IntN(30) == 0 {
			most *= 10 // the room falls asleep
		}
		wait(ctx, upTo(w.random, most))
	}
}

// refusal notes a code that came from the server.
func (w *writer) refusal(code contract.Code, err error) {
	if !errors.Is(err, client.ErrConnectionLost) && !errors.Is(err, client.ErrClosed) && !errors.Is(err, context.Canceled) {
		w.troubled.Store(true)
		w.codes.Store(code, true)
	}
}

func (c *campaign) told(code contract.Code) bool {
	_, ok := c.codes.Load(code)
	return ok
}

// wait is the pace of what is done to a process that is not this one, and no part of what is tested.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// upTo is a random time below d.
func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

func atLeast(v *atomic.Int64, n int64) {
	for {
		old := v.Load()
		if old >= n || v.CompareAndSwap(old, n) {
			return
		}
	}
}

// goOn waits until each writer has had another call acknowledged.
func (c *campaign) goOn() {
	c.t.Helper()
	before := make([]int64, len(c.writers))
	for i, w := range c.writers {
		before[i] = w.written.Load()
	}
	for i, w := range c.writers {
		eventually(c.t, w.name+" goes on writing", func() bool { return w.written.Load() > before[i] })
	}
}

// verify reads all rooms from a process, and compares them with what clients were told before.
func (c *campaign) verify(p *process, l lives) {
	c.t.Helper()
	var readers sync.WaitGroup
	places := make(chan struct{}, 16)
	for _, s := range c.stories {
		readers.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			before := s.look()
			now, err := p.page(s.kind, s.name)
			if err != nil {
				c.t.Errorf("life %d: %v", l.now, err)
				return
			}
			faults := s.judge(before, now, l)
			for _, f := range faults[:min(len(faults), 10)] {
				c.t.Errorf("life %d: %s", l.now, f)
			}
		})
	}
	readers.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// counts adds up what was seen.
func (c *campaign) counts() (all counts) {
	for _, s := range c.stories {
		s.mu.Lock()
		all.add(s.counts)
		s.mu.Unlock()
	}
	return all
}
