package sqlite

import (
	"context"
	"sync/atomic"
)

// job is a call that writes. It has one or more steps, each of which is carried out as a whole or not at all; a group of
// them, of several jobs, is one transaction.
type job struct {
	ctx context.Context
	// step carries out one step in a transaction. It may be called again, after the transaction was rolled back. refused is
	// the answer of a step that was carried out, whatever it says; it has written nothing if that is not nil. err is of
	// SQLite, and means that the transaction cannot go on.
	step func(c *conn, i int) (refused, err error)
	// cost is how many bytes a step writes, about. Nil: few.
	cost func(i int) int

	errs  []error // of the steps
	next  int     // the first step that was not carried out; only the writer uses it
	state atomic.Int32
	done  chan struct{} // closed when all steps have their errors
}

// States of a job.
const (
	waiting int32 = iota // in the queue, and its caller may take it back
	taken                // the writer works on it, and its caller waits for that
	given                // its caller has taken it back
)

// stepsLeft says whether the writer has steps to carry out for it, and takes it if so.
func (j *job) stepsLeft() bool {
	if !j.state.CompareAndSwap(waiting, taken) && j.state.Load() != taken {
		return false
	}
	// Of a job that takes several transactions, those not begun are not begun once nobody waits for them.
	if j.ctx.Err() != nil {
		j.end(ended(j.ctx))
	}
	return j.next < len(j.errs)
}

// wanted says whether somebody waits for the steps that are left.
func (j *job) wanted() bool { return j.state.Load() != given && j.ctx.Err() == nil }

// end gives all steps that are left the same error.
func (j *job) end(err error) {
	for j.next < len(j.errs) {
		j.answer(err)
	}
}

// answer says what became of the next step.
func (j *job) answer(err error) {
	j.errs[j.next] = err
	if j.next++; j.next == len(j.errs) {
		close(j.done)
	}
}

// wait returns when all steps have been answered, or when the context has ended before the writer has taken the job. Then
// nothing of it is done, and nobody else uses what it has.
func (j *job) wait() []error {
	select {
	case <-j.done:
		return j.errs
	case <-j.ctx.Done():
	}
	if j.state.CompareAndSwap(waiting, given) {
		j.end(ended(j.ctx))
	}
	<-j.done
	return j.errs
}
