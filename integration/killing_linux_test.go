package integration

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// long says that tests have their full length.
var long = os.Getenv("SOCKA_LONG") != ""

// eachStore runs a test on every store that outlives a process.
func eachStore(t *testing.T, f func(t *testing.T, c childConfig)) {
	t.Run("sqlite", func(t *testing.T) {
		f(t, childConfig{Store: filepath.Join(t.TempDir(), "rooms.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		// A dead owner is noticed when its lease has ended.
		f(t, childConfig{Store: postgrestest.Shared(t).Database(t), LeaseTTL: 300 * time.Millisecond})
	})
}

// saveSlack is how long after saveInterval a room under Every may still lose what was acknowledged: for the timer, and for
// the acknowledgement to be noted. The time that a save takes comes on top of it: as long as the longest call under EachTurn.
const saveSlack = time.Second

// TestKilling kills a server again and again while clients write to it. Under EachTurn nothing that a client was told is
// lost, changed or there twice; under Every at most what was acknowledged in the last interval is lost.
func TestKilling(t *testing.T) {
	eachStore(t, func(t *testing.T, config childConfig) {
		kills, patientEvery, pace, seed := 20, 5, 20*time.Millisecond, uint64(time.Now().UnixNano())
		if long {
			kills, patientEvery, pace = 100, 8, 2*pace
		}
		if raced {
			pace *= 4
		}
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		c := newCampaign(t, load{each: 50, every: 10, pause: pace, seed: seed})
		l := lives{safe: make(map[int]time.Time)}
		var verified, early, judged int
		var starting, reading time.Duration
		for life := range kills {
			began := time.Now()
			l.now, config.Life = life, life
			p := spawn(t, config)
			c.slowest.Store(0)
			c.troubled.Store(false)
			if random.IntN(6) == 0 { // while it starts, or while everybody comes back
				early++
				select {
				case p.addr = <-p.said.line:
					c.at.set(p.addr)
				case <-time.After(upTo(random, 100*time.Millisecond)):
				}
				wait(t.Context(), upTo(random, 50*time.Millisecond))
			} else {
				p.listens()
				c.at.set(p.addr)
				starting += time.Since(began)
				began = time.Now()
				c.verify(p, l)
				verified++
				reading += time.Since(began)
				c.untilKill(random, life%patientEvery == patientEvery-1)
			}
			p.mustLive()
			if kill := time.Now(); !c.troubled.Load() {
				judged++
				l.safe[life] = kill.Add(-saveInterval - saveSlack - time.Duration(c.slowest.Load()))
			}
			p.kill()
		}
		l.now, config.Life = kills, kills
		p := serveLedgers(t, config)
		c.at.set(p.addr)
		c.verify(p, l)
		c.goOn()
		c.end()
		c.verify(p, l)
		p.mustLive()
		if err := p.ready(); err != nil {
			t.Errorf("in the end the server is not ready: %v", err)
		}
		n := c.counts()
		t.Logf("%d kills, of which %d early; started in %v, read in %v on average", kills, early,
			(starting / time.Duration(max(verified, 1))).Round(time.Millisecond), (reading / time.Duration(max(verified, 1))).Round(time.Millisecond))
		t.Logf("%d calls acknowledged, %d refused, %d outcomes unknown; %d pushes and entrances seen; under Every %d lost, %d had to be there in %d lives",
			n.acknowledged, n.refused, n.unknown, n.pushes, n.lost, n.judged, judged)
		if n.lost == 0 || n.unknown == 0 {
			t.Errorf("%d calls under Every were lost and %d outcomes unknown: the kills do not bite", n.lost, n.unknown)
		}
	})
}

// untilKill waits for a moment that nobody can foresee: after so many calls, or so long.
func (c *campaign) untilKill(random *rand.Rand, patient bool) {
	switch {
	case patient: // long enough for saves under Every
		wait(c.t.Context(), saveInterval+saveSlack+400*time.Millisecond+upTo(random, 600*time.Millisecond))
	case random.IntN(2) == 0:
		wait(c.t.Context(), upTo(random, 600*time.Millisecond))
	default:
		ctx, cancel := context.WithTimeout(c.t.Context(), patience)
		defer cancel()
		calls := c.acknowledged.Load() + 1 + random.Int64N(400)
		for c.acknowledged.Load() < calls && ctx.Err() == nil {
			wait(ctx, time.Millisecond)
		}
	}
}
