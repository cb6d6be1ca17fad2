package client

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// Client is one member of a room: a connection that is kept, the calls on it and
// the handlers of its pushes. All its methods, and the functions of this package
// that take one, are safe for concurrent use. It is made by [New] and must not be
// copied.
type Client struct {
	opts   Options
	url    *url.URL // nil if urlErr is set
	urlErr error
	format wire.Format
	logURL string // without query and credentials

	// ctx ends when the client is Closed; everything that runs ends with it.
	ctx    context.Context
	cancel context.CancelFunc

	lastID atomic.Uint64

	mu      sync.Mutex
	status  Status
	changed chan struct{} // closed and replaced at every change of status
	cur     *conn         // while Open
	err     error         // Idle: why the last Connect failed; Closed: why, matches ErrClosed
	feeds   map[chan StatusChange]struct{}
	running chan struct{} // closed when run has ended; nil before it starts

	pushes *dispatcher
}

// New returns a client of the room at rawURL, such as
// "wss://example.com/ws/chat/lobby?name=Ada". The schemes ws, wss, http and https
// are accepted, the latter two for the former. Nothing is dialled yet; a URL that
// cannot be used is reported by [Client.Connect]. A nil opts means the defaults.
func New(rawURL string, opts *Options) *Client {
	c := &Client{
		opts:    opts.withDefaults(),
		changed: make(chan struct{}),
		feeds:   make(map[chan StatusChange]struct{}),
	}
	c.url, c.format, c.urlErr = parseURL(rawURL, c.opts.Wire)
	if c.urlErr == nil {
		c.logURL = publicURL(c.url)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.pushes = newDispatcher(&c.opts)
	return c
}

// Connect makes the first connection. It returns once that is open, or the error
// of the attempt: a [*HandshakeError] if the server refused, an error of the
// network or of ctx, an unusable URL. After an error the client is Idle and
// Connect may be called again. ctx bounds the attempt alone, together with
// HandshakeTimeout; once open, the connection is kept, and opened again when it
// is lost, until Close.
//
// On a client that is Open it does nothing, on one that is Connecting or
// Reconnecting it waits for the outcome, on one that is Closed it fails with
// [ErrClosed]. Register push handlers before Connect: what the server sends at
// once would find nobody.
func (c *Client) Connect(ctx context.Context) error {
	if c.urlErr != nil {
		return c.urlErr
	}
	waited := false
	c.mu.Lock()
	for c.status != Idle || waited {
		switch c.status {
		case Open:
			c.mu.Unlock()
			return nil
		case Closed, Idle:
			defer c.mu.Unlock()
			return c.err
		}
		waited = true
		if err := c.awaitChange(ctx); err != nil {
			c.mu.Unlock()
			return fmt.Errorf("socka: connect: %w", err)
		}
	}
	c.setStatus(Connecting, nil)
	c.mu.Unlock()

	cn, err := c.dial(ctx)

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == Closed {
		if err == nil {
			cn.transport.kill()
		}
		return c.err
	}
	if err != nil {
		c.err = err
		c.setStatus(Idle, err)
		return err
	}
	c.err = nil
	c.running = make(chan struct{})
	c.pushes.start()
	c.open(cn)
	go c.run(cn)
	return nil
}

// awaitChange waits for a change of status or the end of ctx. c.mu is held, but
// not while waiting.
func (c *Client) awaitChange(ctx context.Context) error {
	changed := c.changed
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open makes cn the client's connection. c.mu is held.
func (c *Client) open(cn *conn) {
	c.cur = cn
	c.setStatus(Open, nil)
	cn.start()
}

// Close ends the client for good. Calls that wait for an answer fail with
// [ErrClosed] and the code contract.OutcomeUnknown at once. The server is told
// (close code 1000) and given 1 s to confirm; then the connection is cut. Pushes
// that wait for their handlers are dropped, and no handler starts afterwards.
//
// When Close returns the client has no goroutine left, with one exception: a push
// handler that is running is not waited for, so that a handler may call Close.
// It may be called at any time, more than once and concurrently; it returns nil.
func (c *Client) Close() error {
	c.mu.Lock()
	cn, running := c.cur, c.running
	if c.status != Closed {
		c.finish(ErrClosed, nil)
	}
	c.mu.Unlock()

	c.pushes.stop(false)
	if cn != nil {
		cn.failPending(ErrClosed)
	}
	if running != nil {
		<-running
	}
	c.pushes.wait()
	return nil
}

// finish makes the client Closed. err is what later calls fail with and matches
// ErrClosed; reason goes to the subscribers. c.mu is held.
func (c *Client) finish(err, reason error) {
	c.err, c.cur = err, nil
	c.setStatus(Closed, reason)
	c.cancel()
}

// connection returns the open connection, other than the one given: it waits
// while the client is connecting or reconnecting, and fails with
// contract.Unavailable if there is none to be had, or with ctx's error.
func (c *Client) connection(ctx context.Context, other *conn, what string) (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, notSent(what, contract.CodeOf(err), err)
		}
		var cause error
		switch {
		case c.status == Open && c.cur != other:
			return c.cur, nil
		case c.status == Closed:
			cause = c.err
		case c.status == Idle && c.urlErr != nil:
			cause = fmt.Errorf("%w: %w", ErrNotConnected, c.urlErr)
		case c.status == Idle && c.err != nil:
			cause = fmt.Errorf("%w: the last attempt failed: %w", ErrNotConnected, c.err)
		case c.status == Idle:
			cause = ErrNotConnected
		}
		if cause != nil {
			return nil, notSent(what, contract.Unavailable, cause)
		}
		_ = c.awaitChange(ctx) // the loop looks at ctx
	}
}
