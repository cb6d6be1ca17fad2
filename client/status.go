package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/gosocka/socka/wire"
)

// Status is what a [Client] is doing about its connection. The package
// documentation draws the transitions.
type Status uint8

const (
	// Idle: there is no connection, and nobody asked for one or the first
	// attempt failed.
	Idle Status = iota
	// Connecting: the first connection is being made.
	Connecting
	// Open: there is a connection.
	Open
	// Reconnecting: the connection was lost; waiting for the next attempt, or in
	// one.
	Reconnecting
	// Closed: it is over.
	Closed
)

// String returns the status as a word, such as "open".
func (s Status) String() string {
	switch s {
	case Idle:
		return "idle"
	case Connecting:
		return "connecting"
	case Open:
		return "open"
	case Reconnecting:
		return "reconnecting"
	case Closed:
		return "closed"
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// StatusChange is one change of a client's [Status].
type StatusChange struct {
	From, To Status
	// Err says why: a [ConnectionError], or what made an attempt to connect fail
	// ([HandshakeError], network errors). It is nil for a change that went well
	// and for the client's own Close.
	Err error
	// Code is the WebSocket close code that the server sent, 0 if the change has
	// nothing to do with one.
	Code int
	// At is the time of the change.
	At time.Time
}

// changesBuffer is how many changes wait for a subscriber before the oldest is
// dropped.
const changesBuffer = 64

// Status returns what the client is doing now.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Changes returns a channel on which every later change of the status arrives,
// in order, and a function that ends the subscription. Each subscriber sees every
// change; one that lets 64 of them wait loses the oldest. The channel is closed
// after the change to [Closed], which is the last one, and by the cancel
// function, which may be called more than once.
func (c *Client) Changes() (<-chan StatusChange, func()) {
	ch := make(chan StatusChange, changesBuffer)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == Closed {
		close(ch)
		return ch, func() {}
	}
	c.feeds[ch] = struct{}{}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, ok := c.feeds[ch]; ok {
			delete(c.feeds, ch)
			close(ch)
		}
	}
}

// setStatus changes the status, wakes everything that waits for a change, and
// feeds the subscribers. c.mu is held.
func (c *Client) setStatus(to Status, err error) {
	change := StatusChange{From: c.status, To: to, Err: err, At: time.Now()}
	var lost *ConnectionError
	if errors.As(err, &lost) {
		change.Code = lost.Code
	}
	c.status = to
	close(c.changed)
	c.changed = make(chan struct{})
	for ch := range c.feeds {
		select {
		case ch <- change:
		default:
			select { // full: make room; nobody else sends
			case <-ch:
			default:
			}
			ch <- change
		}
		if to == Closed {
			delete(c.feeds, ch)
			close(ch)
		}
	}
	if err != nil {
		c.opts.Logger.Info("socka client: "+to.String(), "url", c.logURL, "was", change.From.String(), "err", err)
	} else {
		c.opts.Logger.Debug("socka client: "+to.String(), "url", c.logURL, "was", change.From.String())
	}
}

// Err says why the client is Idle after a Connect that failed, or why it is
// Closed; else nil. A close code that the server gave is in the text, and in
// [StatusChange].
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Wire is the encoding of the connection.
func (c *Client) Wire() wire.Format { return c.format }
