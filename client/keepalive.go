package client

import (
	"fmt"
	"time"
)

// keepalive times the pings of one connection. Each ping must be followed by
// some progress of reading within the timeout: a pong, or anything else. Reading
// that waits for a push handler makes none, so a handler that blocks the client
// loses the connection rather than everything.
type keepalive struct {
	timer             *time.Timer
	interval, timeout time.Duration
	waiting           bool   // a ping was sent when the timer was set
	progress          uint64 // before that ping
}

func newKeepalive(o *Options) *keepalive {
	k := &keepalive{interval: o.PingInterval, timeout: o.PingTimeout}
	if k.interval < 0 {
		k.timer = time.NewTimer(time.Hour)
		k.timer.Stop()
	} else {
		k.timer = time.NewTimer(k.interval)
	}
	return k
}

// due is called when the timer fires. It says whether to send a ping, or that
// the connection is dead.
func (k *keepalive) due(progress uint64) (send bool, err error) {
	if !k.waiting {
		k.waiting, k.progress = true, progress
		k.timer.Reset(k.timeout)
		return true, nil
	}
	if progress == k.progress {
		return false, fmt.Errorf("nothing was read for %v after a ping", k.timeout)
	}
	k.waiting = false
	k.timer.Reset(max(k.interval-k.timeout, 1))
	return false, nil
}
