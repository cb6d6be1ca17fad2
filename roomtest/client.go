package roomtest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// Client is a connected client.Client that remembers the pushes that it got, for [Expect].
type Client struct {
	*client.Client
	T *testing.T

	path   string
	mu     sync.Mutex
	pushes []received // not yet taken by Expect
}

type received struct {
	name string
	body []byte
}

func (c *Client) observe(f wire.Frame) {
	if f.Kind != wire.ServerEvent {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushes = append(c.pushes, received{f.Event, slices.Clone(f.Body)})
}

// Call calls the room and fails the test on an error. It returns when everything that the call caused has been
// delivered to everybody.
func Call[In, Out any](c *Client, call *contract.Call[In, Out], in In) Out {
	c.T.Helper()
	out, err := client.Call(c.T.Context(), c.Client, call, in)
	if err != nil {
		c.T.Fatalf("roomtest: %s by %s: %v", call.Name(), c.path, err)
	}
	synctest.Wait()
	return out
}

// Refused makes a call that must fail, and gives its error; the test fails if the call succeeds.
func Refused[In, Out any](c *Client, call *contract.Call[In, Out], in In) *contract.Error {
	c.T.Helper()
	out, err := client.Call(c.T.Context(), c.Client, call, in)
	if err == nil {
		c.T.Fatalf("roomtest: %s by %s: want an error, got %+v", call.Name(), c.path, out)
	}
	synctest.Wait()
	return asError(err)
}

// Send makes a one-way call and fails the test if it cannot be sent.
func Send[In any](c *Client, call *contract.OneWay[In], in In) {
	c.T.Helper()
	if err := client.Send(c.T.Context(), c.Client, call, in); err != nil {
		c.T.Fatalf("roomtest: %s by %s: %v", call.Name(), c.path, err)
	}
	synctest.Wait()
}

// Expect takes the oldest push of its sort that has come and was not taken yet. It fails the test if there is none.
func Expect[T any](c *Client, push *contract.Push[T]) T {
	c.T.Helper()
	synctest.Wait()
	v, ok := take(c, push)
	if !ok {
		c.T.Fatalf("roomtest: %s got no %s; what it got and was not expected yet: %s", c.path, push.Name(), c.names())
	}
	return v
}

// ExpectNone fails the test if a push of the sort has come that was not taken yet.
func ExpectNone[T any](c *Client, push *contract.Push[T]) {
	c.T.Helper()
	synctest.Wait()
	if v, ok := take(c, push); ok {
		c.T.Fatalf("roomtest: %s got %s %+v", c.path, push.Name(), v)
	}
}

// Pushes takes all pushes of a sort that have come and were not taken yet, oldest first.
func Pushes[T any](c *Client, push *contract.Push[T]) []T {
	c.T.Helper()
	synctest.Wait()
	var all []T
	for {
		v, ok := take(c, push)
		if !ok {
			return all
		}
		all = append(all, v)
	}
}

func take[T any](c *Client, push *contract.Push[T]) (v T, ok bool) {
	c.T.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.pushes {
		if p.name != push.Name() {
			continue
		}
		c.pushes = slices.Delete(c.pushes, i, i+1)
		if err := push.Def().Decode(c.Wire(), p.body, &v); err != nil {
			c.T.Fatalf("roomtest: %s got a %s that does not pass its schema: %v", c.path, p.name, err)
		}
		return v, true
	}
	return v, false
}

func (c *Client) names() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pushes) == 0 {
		return "nothing"
	}
	var names []string
	for _, p := range c.pushes {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

func asError(err error) *contract.Error {
	if e, ok := err.(*contract.Error); ok {
		return e
	}
	return contract.Errorf(contract.CodeOf(err), "%w", err)
}
