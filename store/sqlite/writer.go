package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Of one transaction.
const (
	groupSteps = 4096
	groupBytes = 8 << 20
	stepBytes  = 200 // what a step costs beyond the values it writes
)

// writer is the one that writes, on a connection of its own. Calls that come while a transaction is under way wait, and
// are all carried out in the next: a lone call waits for nobody, and under load many share one sync.
//
//	jobs ─▶ queue ─▶ BEGIN IMMEDIATE ─▶ take all that wait ─▶ steps ─▶ COMMIT ─▶ answers ─▶ checkpoint, if it is time
//	                  busy: again, while                       fails: ROLLBACK, and
//	                  anybody wants it                         each step by itself
//
// Jobs are taken after the transaction has begun. So a call whose context ends while another process has the file
// locked goes back at once, with nothing done.
type writer struct {
	path    string
	pragmas string
	locks   *locks // nil: none

	c      *conn // nil after it broke
	copier copier
	pages  int // in the write-ahead log, at the last commit
	next   int // pages at which a checkpoint begins: threshold, or more after one that came to nothing

	threshold int // checkpointPages, in tests less

	mu      sync.Mutex
	queue   []*job
	closing bool
	bell    chan struct{} // rings when there is something in the queue, or closing
	ended   chan struct{} // closed when the goroutine has returned
	err     error         // of closing, set before
}

// item is a step in a group.
type item struct {
	j       *job
	i       int
	refused error
}

func newWriter(path string, c *conn, pragmas string, l *locks) *writer {
	w := &writer{path: path, c: c, pragmas: pragmas, locks: l, copier: copier{path: path}, threshold: checkpointPages, next: checkpointPages, bell: make(chan struct{}, 1), ended: make(chan struct{})}
	w.watch()
	go w.run()
	return w
}

// do carries out steps, and returns their errors. The caller makes sure that the writer is not closed meanwhile.
func (w *writer) do(ctx context.Context, steps int, cost func(int) int, step func(*conn, int) (refused, err error)) []error {
	j := &job{ctx: ctx, step: step, cost: cost, errs: make([]error, steps), done: make(chan struct{})}
	w.mu.Lock()
	w.queue = append(w.queue, j)
	w.mu.Unlock()
	w.ring()
	return j.wait()
}

// one carries out a single step.
func (w *writer) one(ctx context.Context, step func(*conn) (refused, err error)) error {
	return w.do(ctx, 1, nil, func(c *conn, _ int) (error, error) { return step(c) })[0]
}

func (w *writer) ring() {
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

// close ends the goroutine, after what is in the queue has been done.
func (w *writer) close() error {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	w.ring()
	<-w.ended
	return w.err
}

func (w *writer) run() {
	defer close(w.ended)
	for range w.bell {
		for w.wanted() {
			w.turn()
		}
		w.checkpoint()
		w.mu.Lock()
		over := w.closing && len(w.queue) == 0
		w.mu.Unlock()
		if over {
			w.err = w.finish()
			return
		}
	}
}

// wanted says whether there is a job in the queue whose caller waits for it, and takes out the others.
func (w *writer) wanted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.queue[:0]
	for _, j := range w.queue {
		if j.wanted() {
			kept = append(kept, j)
		} else if j.state.Load() == taken {
			j.end(ended(j.ctx)) // one of several transactions, of which some were made
		}
	}
	clear(w.queue[len(kept):])
	w.queue = kept
	return len(kept) > 0
}

// collect takes jobs until the group is large enough, in order.
func (w *writer) collect() []item {
	w.mu.Lock()
	defer w.mu.Unlock()
	var group []item
	bytes, used := 0, 0
	for _, j := range w.queue {
		if len(group) == groupSteps || bytes >= groupBytes {
			break
		}
		if !j.stepsLeft() {
			used++
			continue
		}
		i := j.next
		for ; i < len(j.errs) && len(group) < groupSteps && bytes < groupBytes; i++ {
			group = append(group, item{j: j, i: i})
			if bytes += stepBytes; j.cost != nil {
				bytes += j.cost(i)
			}
		}
		if i == len(j.errs) {
			used++
		}
	}
	rest := copy(w.queue, w.queue[used:])
	clear(w.queue[rest:])
	w.queue = w.queue[:rest]
	return group
}

// turn makes one transaction of what waits, if it can begin one while anybody waits.
//
// Between processes that all have something to write the turn goes round: who wants to write takes the queue lock, then
// waits for the write lock, then gives back the queue lock. So whoever has just written finds the others before him. That
// is a courtesy: what keeps writers apart is SQLite's own lock, and who gets no turn within courtesy goes on without.
func (w *writer) turn() {
	if err := w.open(); isBusy(err) {
		time.Sleep(pause(0))
		return
	} else if err != nil {
		w.fail(w.collect(), "opening the file", err)
		return
	}
	if w.locks != nil && w.locks.enter(time.Now().Add(courtesy)) {
		defer w.locks.leave()
	}
	if err := w.begin(w.wanted); err != nil {
		if err != errUnwanted {
			w.fail(w.collect(), "beginning to write", err)
		}
		return
	}
	group := w.collect()
	if err := w.attempt(group); err != nil {
		w.separate(group, err)
	} else {
		for _, it := range group {
			it.j.answer(it.refused)
		}
	}
	w.checkpoint()
}

// courtesy is how long others are let go first.
const courtesy = 250 * time.Millisecond

// errUnwanted says that nobody waits any more.
var errUnwanted = errors.New("nobody waits")

// begin begins a transaction. It waits for other processes while anybody wants it.
func (w *writer) begin(wanted func() bool) error {
	for count := 0; ; count++ {
		err := w.c.guard(func() error { return w.c.on(qBeginImmediate).exec() })
		if !isBusy(err) {
			return err
		}
		if !wanted() {
			return errUnwanted
		}
		time.Sleep(pause(count))
	}
}

// attempt carries out a group in the transaction that has begun, and ends that.
func (w *writer) attempt(group []item) error {
	err := w.c.guard(func() error {
		for k := range group {
			it := &group[k]
			var err error
			if it.refused, err = it.j.step(w.c, it.i); err != nil {
				return err
			}
		}
		return w.c.on(qCommit).exec()
	})
	if err != nil {
		w.c.rollback()
		return err
	}
	return nil
}

// separate carries out each step of a group that failed in a transaction of its own, so that one that cannot be carried
// out stops no other. All have the error if it is not that of a step, and those left when there is no space for several.
func (w *writer) separate(group []item, err error) {
	if len(group) == 1 || w.c.broken && !errors.Is(err, errPanic) {
		w.fail(group, "writing", err)
		return
	}
	full := 0
	for k := range group {
		it := &group[k]
		err := w.open()
		if err == nil {
			err = w.begin(it.j.wanted)
		}
		if err == nil {
			err = w.attempt(group[k : k+1])
		}
		switch {
		case err == nil:
			it.j.answer(it.refused)
		case err == errUnwanted:
			it.j.answer(ended(it.j.ctx))
		default:
			w.fail(group[k:k+1], "writing", err)
		}
		if full++; !isFull(err) {
			full = 0
		}
		if full == enoughFull {
			w.fail(group[k+1:], "writing", err)
			return
		}
	}
}

// enoughFull is how many steps find the disk full before others are not tried.
const enoughFull = 8

func (w *writer) fail(group []item, doing string, err error) {
	err = explain(w.path, doing, err)
	for _, it := range group {
		it.j.answer(err)
	}
}

// open opens the connection again if it broke.
func (w *writer) open() error {
	if w.c != nil && !w.c.broken {
		return nil
	}
	if w.c != nil {
		w.c.close()
		w.c = nil
	}
	c, err := openConn(w.path)
	if err != nil {
		return err
	}
	if err := c.guard(func() error { return c.db.Exec(w.pragmas) }); err != nil {
		c.close()
		return err
	}
	w.c = c
	w.watch()
	return nil
}

// watch has the connection tell how long the write-ahead log is.
func (w *writer) watch() {
	w.c.db.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		w.pages = pages
		return nil
	})
}
