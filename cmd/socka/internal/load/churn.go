package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// churn runs sessions that connect, call once and leave, each worker one after the other.
func (r *run) churn(ctx context.Context, u *url.URL, server process) (*Report, error) {
	start := r.now()
	r.from.Store(start + int64(r.cfg.Warmup))
	r.to.Store(start + int64(r.cfg.Warmup+r.cfg.Duration))
	r.sending.Store(true)
	sessions, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	left := make([]int64, r.cfg.Connections) // sessions that were due and never begun
	var workers sync.WaitGroup
	for i := range r.cfg.Connections {
		workers.Go(func() { left[i] = r.worker(ctx, sessions, u, i, start) })
	}
	m := r.window(ctx, server)
	r.sending.Store(false)
	stop := time.AfterFunc(r.cfg.Drain, cut)
	defer stop.Stop()
	workers.Wait()
	if err := r.failed(); err != nil {
		return nil, err
	}
	rep := r.report(m)
	for _, n := range left {
		rep.Sessions.Unsent += n
	}
	return rep, nil
}

// worker runs sessions until the end of the window: in an open loop session k of worker i is due at start +
// (k·workers + i) / rate.
func (r *run) worker(ctx, sessions context.Context, u *url.URL, i int, start int64) (unsent int64) {
	c := newClient(r, nil, nil, i)
	var interval, next int64
	if r.cfg.Rate > 0 {
		gap := float64(time.Second) / r.cfg.Rate
		interval, next = max(1, int64(gap*float64(r.cfg.Connections))), start+int64(gap*float64(i))
	}
	address := r.address(u, i)
	for r.sending.Load() && ctx.Err() == nil {
		due := r.now()
		if interval > 0 {
			if wait := min(next, r.to.Load()) - due; wait > 0 {
				timer := time.NewTimer(time.Duration(wait))
				select {
				case <-timer.C:
				case <-ctx.Done():
					timer.Stop()
				}
				continue
			}
			due = next
		}
		if due >= r.to.Load() {
			break
		}
		next += interval
		if err := r.session(sessions, c, address, due); err != nil {
			if sessions.Err() != nil {
				break // cut at the end
			}
			c.shard.mu.Lock()
			c.shard.failed++
			c.shard.mu.Unlock()
			r.note(err.Error())
			if !r.worked.Load() {
				r.fail(err)
			}
		}
	}
	for end := r.now(); interval > 0 && next < r.to.Load(); next += interval {
		unsent++
		if r.counts(next) {
			c.shard.mu.Lock()
			c.shard.session.add(end - next)
			c.shard.mu.Unlock()
		}
	}
	return unsent
}

// session connects, calls, waits for the answer and leaves. due is when it should have begun.
func (r *run) session(ctx context.Context, c *client, u *url.URL, due int64) error {
	s := c.shard
	s.mu.Lock()
	s.sent++
	s.mu.Unlock()
	begun := r.now()
	nc, early, err := dial(ctx, r.cfg, u)
	if err != nil {
		return err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	_ = nc.SetDeadline(time.Now().Add(r.cfg.Timeout))
	c.nc, c.held, c.inFrag, c.frag = nc, copy(c.buf, early), false, c.frag[:0]
	opened := r.now()

	n := c.sent
	c.sent++
	c.out = appendFrame(c.out[:0], r.op, r.appendCall(c.payload[:0], n, due))
	if _, err := nc.Write(c.out); err != nil {
		return fmt.Errorf("calling: %w", err)
	}
	if err := c.answer(n); err != nil {
		return err
	}
	answered := r.now()

	c.out = appendFrame(c.out[:0], opClose, binary.BigEndian.AppendUint16(nil, 1000))
	if _, err := nc.Write(c.out); err != nil {
		return fmt.Errorf("leaving: %w", err)
	}
	if _, err := c.until(func(op byte, _ []byte) bool { return op == opClose }); err != nil {
		return fmt.Errorf("leaving: %w", err)
	}
	// The close handshake is complete. A reset spares both sides TIME_WAIT, which would use up the ports.
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	now := r.now()
	r.worked.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connects++
	s.answered++
	if now >= r.from.Load() && now < r.to.Load() {
		s.connectsInWindow++
		s.callsInWindow++
	}
	if r.counts(due) {
		s.connect.add(opened - begun)
		s.call.add(answered - opened)
		s.session.add(now - due)
	}
	return nil
}

// answer waits for the answer of call n.
func (c *client) answer(n int64) error {
	var failure error
	_, err := c.until(func(op byte, payload []byte) bool {
		switch op {
		case opText, opBinary:
			m := c.r.scanner.scan(payload)
			if m.n != n {
				return false
			}
			if m.kind == failureMessage {
				failure = errors.New(c.r.explainFailure(m.frame))
			}
			return m.kind == answerMessage || m.kind == failureMessage
		case opClose:
			code := uint16(1005)
			if len(payload) >= 2 {
				code, payload = binary.BigEndian.Uint16(payload), payload[2:]
			}
			failure = closed{code, clip(string(payload))}
			return true
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("waiting for an answer: %w", err)
	}
	return failure
}

// until reads frames until one is what is waited for. Fragmented messages, which this project's server never sends, are
// passed over.
func (c *client) until(done func(op byte, payload []byte) bool) (op byte, err error) {
	for {
		op, final, payload, size, need, err := parseFrame(c.buf[:c.held])
		if err != nil {
			return 0, err
		}
		if size > 0 {
			found := final && done(op, payload)
			if op == opPing && !found {
				if _, err := c.nc.Write(appendFrame(nil, opPong, payload)); err != nil {
					return 0, err
				}
			}
			c.held = copy(c.buf, c.buf[size:c.held])
			if found {
				return op, nil
			}
			continue
		}
		if need > len(c.buf) {
			c.buf = append(make([]byte, 0, need), c.buf[:c.held]...)[:need]
		}
		n, err := c.nc.Read(c.buf[c.held:])
		if c.held += n; err != nil && n == 0 {
			return 0, err
		}
	}
}
