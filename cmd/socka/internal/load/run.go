package load

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/wire"
)

const (
	dialers  = 64 // connections opened at a time
	maxTexts = 16 // different texts of errors that are kept
	stall    = time.Second
)

// run is one measurement.
type run struct {
	cfg     *Config
	scanner *scanner
	op      byte   // of messages
	body    []byte // what every call carries; nil if it has a number
	begin   time.Time

	shards     []shard
	bufferSize int
	clients    []*client
	callers    []*client
	readers    sync.WaitGroup
	unserved   sync.WaitGroup

	from, to atomic.Int64 // the measured window, in nanoseconds since begin
	sending  atomic.Bool
	leaving  atomic.Bool
	worked   atomic.Bool // a call was answered
	cancel   context.CancelFunc

	// Deliveries: how many pushes are expected, have come, and are no longer waited for.
	expected, came, gone atomic.Int64
	members              []atomic.Int64 // connections that live, in each room
	alive                atomic.Int64   // and in all

	mu      sync.Mutex
	texts   map[string]int64
	ended   int64 // connections that the server ended
	failure error // what ended the run
}

// Run does what the configuration says and tells what it measured. When ctx ends early, the Report covers the time until
// then and Report.Interrupted is set. An error means that there is nothing to tell.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	u, err := cfg.target()
	if err != nil {
		return nil, err
	}
	needed := cfg.Connections * cfg.Rooms
	if cfg.Scenario == Calls || cfg.Scenario == Idle || cfg.Scenario == Churn {
		needed = cfg.Connections
	}
	if err := allowFiles(needed + 64); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{cfg: &cfg, begin: time.Now(), texts: make(map[string]int64), cancel: cancel, op: opText, bufferSize: 16 << 10}
	r.shards = make([]shard, 4*runtime.GOMAXPROCS(0))
	r.scanner = newScanner(cfg.Wire, cfg.Call, cfg.Push, cfg.Number)
	if !cfg.pushes() {
		r.scanner.event = ""
	}
	if cfg.Wire == wire.Msgpack {
		r.op = opBinary
	}
	if cfg.Scenario == Idle {
		r.bufferSize = 2 << 10
	}
	if !strings.Contains(cfg.Body, numberMark) && cfg.Scenario != Idle {
		r.body = r.numbered(0)
	}
	r.from.Store(1 << 62)
	r.to.Store(1 << 62)
	server := process{pid: cfg.PID}
	if cfg.PID != 0 {
		if _, err := server.read(); err != nil {
			return nil, fmt.Errorf("process %d cannot be measured: %w", cfg.PID, err)
		}
	}
	if cfg.Scenario == Churn {
		return r.churn(ctx, u, server)
	}
	return r.hold(ctx, u, server, needed)
}

// now is the time of the run, in nanoseconds.
func (r *run) now() int64 { return int64(time.Since(r.begin)) }

// counts reports whether what was due then is measured.
func (r *run) counts(due int64) bool { return due >= r.from.Load() && due < r.to.Load() }

// address gives the URL of a connection's room.
func (r *run) address(u *url.URL, i int) *url.URL {
	if r.cfg.Rooms == 1 {
		return u
	}
	room := *u
	room.Path += "-" + strconv.Itoa(i%r.cfg.Rooms)
	room.RawPath = ""
	return &room
}

// hold runs a scenario whose connections stay.
func (r *run) hold(ctx context.Context, u *url.URL, server process, needed int) (*Report, error) {
	before, _ := server.read()
	defer r.readers.Wait()
	defer r.leave()
	began := time.Now()
	if err := r.connect(ctx, u, needed); err != nil {
		return nil, err
	}
	if err := r.await(ctx); err != nil {
		return nil, err
	}
	took := time.Since(began)
	r.prepare()
	m := r.measure(ctx, server)
	r.drain()
	if err := r.failed(); err != nil {
		return nil, err
	}
	rep := r.report(m)
	rep.ConnectSeconds = took.Seconds()
	if rep.Server != nil && m.to.rss > 0 {
		rep.BytesPerConnection = float64(m.to.rss-before.rss) / float64(needed)
	}
	return rep, nil
}

// prepare chooses who calls.
func (r *run) prepare() {
	c := r.cfg
	for i, cl := range r.clients {
		if c.Scenario == Calls || c.pushes() && i/c.Rooms < c.Publishers { // connection i is in room i%Rooms
			cl.mu.Lock()
			cl.caller()
			cl.mu.Unlock()
			r.callers = append(r.callers, cl)
		}
	}
}

// measurement is what was read at both ends of the window.
type measurement struct {
	from, to         usage // the server's
	ownFrom, ownTo   usage
	begin, end       int64
	interrupted      bool
	serverOK, selfOK bool
}

// measure runs the load until the end of the window or of ctx.
func (r *run) measure(ctx context.Context, server process) measurement {
	start := r.now()
	r.from.Store(start + int64(r.cfg.Warmup))
	r.to.Store(start + int64(r.cfg.Warmup+r.cfg.Duration))
	var pacing sync.WaitGroup
	defer pacing.Wait()
	r.sending.Store(true)
	defer r.sending.Store(false)
	if n := len(r.callers); n > 0 && r.cfg.Rate > 0 {
		rate := r.cfg.Rate
		if r.cfg.Scenario == Rooms {
			rate *= float64(r.cfg.Rooms)
		}
		gap := float64(time.Second) / rate
		for i, c := range r.callers {
			c.mu.Lock()
			c.interval = max(1, int64(gap*float64(n)))
			c.next = start + int64(gap*float64(i))
			c.mu.Unlock()
		}
		pacing.Go(func() { r.pace(ctx, start, gap) })
	} else {
		for _, c := range r.callers {
			c.pump(r.now())
		}
	}
	return r.window(ctx, server)
}

// window waits for the window's two ends.
func (r *run) window(ctx context.Context, server process) (m measurement) {
	self := process{self: true}
	r.wait(ctx, r.from.Load())
	m.begin = min(r.now(), r.to.Load())
	var err1, err2 error
	m.from, err1 = server.read()
	m.ownFrom, err2 = self.read()
	m.serverOK, m.selfOK = server.pid != 0 && err1 == nil, err2 == nil
	m.interrupted = !r.wait(ctx, r.to.Load())
	m.end = r.now()
	r.to.Store(min(m.end, r.to.Load()))
	m.to, err1 = server.read()
	m.ownTo, err2 = self.read()
	m.serverOK, m.selfOK = m.serverOK && err1 == nil, m.selfOK && err2 == nil
	m.end = max(m.end, m.begin+1)
	return m
}

// wait returns at a time of the run, telling what happens; false if ctx ended before.
func (r *run) wait(ctx context.Context, until int64) bool {
	last, since := int64(-1), r.now()
	for {
		left := time.Duration(until - r.now())
		if left <= 0 {
			return true
		}
		timer := time.NewTimer(min(left, 200*time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		calls, pushes, failed := r.sofar()
		phase := "measuring"
		if r.now() < r.from.Load() {
			phase = "warming up"
		}
		r.tell("%s, %v left: %d answers, %d pushes, %d failed, %d connections lost", phase, left.Round(100*time.Millisecond), calls, pushes, failed, r.lostSoFar())
		// What a server has dropped never comes: a closed loop must not wait for it.
		if came := r.came.Load(); came != last {
			last, since = came, r.now()
		} else if r.now()-since > int64(stall) && r.cfg.pushes() && r.cfg.Rate == 0 {
			since = r.now()
			r.gone.Store(r.expected.Load() - came)
			for _, c := range r.callers {
				c.pump(r.now())
			}
		}
	}
}

// pace sends what is due in an open loop: call k is due at start + k gaps, and belongs to caller k modulo their number.
func (r *run) pace(ctx context.Context, start int64, gap float64) {
	for k := 0; r.sending.Load() && ctx.Err() == nil; {
		due := start + int64(gap*float64(k))
		now := r.now()
		if due >= r.to.Load() {
			return
		}
		if due > now {
			// Short enough to see the end, and no busier than 4,000 times a second.
			sleep(min(max(time.Duration(due-now), 250*time.Microsecond), 20*time.Millisecond))
			continue
		}
		r.callers[k%len(r.callers)].pump(now)
		k++
	}
}

// drain waits for what is under way.
func (r *run) drain() {
	deadline := time.Now().Add(r.cfg.Drain)
	for time.Now().Before(deadline) && r.alive.Load() > 0 && r.failed() == nil {
		under := 0
		for _, c := range r.callers {
			c.mu.Lock()
			if !c.broken {
				under += c.under
			}
			c.mu.Unlock()
		}
		if under == 0 && r.came.Load()+r.gone.Load() >= r.expected.Load() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// leave ends all connections.
func (r *run) leave() {
	if r.leaving.Swap(true) {
		return
	}
	for _, c := range r.clients {
		if c != nil {
			c.leave()
		}
	}
}

// mayPublish says whether a closed loop may send: publishes are as far ahead of their deliveries as the depth allows.
func (r *run) mayPublish() bool {
	if !r.cfg.pushes() {
		return true
	}
	return r.expected.Load()-r.came.Load()-r.gone.Load() <= int64(r.cfg.Depth-1)*r.alive.Load()*int64(r.cfg.Publishers)
}

// published expects what a publish causes.
func (r *run) published(c *client) {
	if r.cfg.pushes() {
		r.expected.Add(r.members[c.room].Load())
	}
}

// delivered counts pushes, and lets a closed loop go on. No client is locked.
func (r *run) delivered(n, now int64) {
	r.came.Add(n)
	if r.cfg.Rate > 0 || !r.sending.Load() || !r.mayPublish() {
		return
	}
	for _, c := range r.callers {
		c.pump(now)
	}
}

func (r *run) sofar() (answers, pushes, failed int64) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		answers += s.answered
		pushes += s.received
		failed += s.failed
		s.mu.Unlock()
	}
	return answers, pushes, failed
}

func (r *run) tell(format string, args ...any) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(fmt.Sprintf(format, args...))
	}
}
