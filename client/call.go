package client

import (
	"context"
	"strconv"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// Call sends a call and waits for its answer. While the client is connecting or
// reconnecting it waits for the connection first, until ctx ends. in is validated
// before it is sent, the output after it arrived.
//
// Every error is a [*contract.Error] or wraps one; the package documentation
// lists the codes. There is no timeout but ctx's, and the end of ctx does not
// take back a call that was sent.
func Call[In, Out any](ctx context.Context, c *Client, call *contract.Call[In, Out], in In) (Out, error) {
	var out Out
	m := call.Method()
	body, err := m.EncodeInput(c.format, in)
	if err == nil {
		body, err = c.roundTrip(ctx, m.Name(), body, true)
	}
	if err == nil {
		err = m.DecodeOutput(c.format, body, &out)
	}
	if err != nil {
		var zero Out
		return zero, err
	}
	return out, nil
}

// Send sends a one-way call and returns once it is written to the connection. It
// waits for a connection as [Call] does. The server answers only a failure, which
// goes to Options.OnError as a [*contract.Error]. If the connection is lost
// afterwards, nobody learns whether the call ran.
func Send[In any](ctx context.Context, c *Client, call *contract.OneWay[In], in In) error {
	m := call.Method()
	body, err := m.EncodeInput(c.format, in)
	if err != nil {
		return err
	}
	_, err = c.roundTrip(ctx, m.Name(), body, false)
	return err
}

// roundTrip sends a request and waits for its answer, or until it is written if
// there will be none. A request that no connection has taken yet waits for the
// next one; one that was taken is never sent again.
func (c *Client) roundTrip(ctx context.Context, rpc string, body []byte, answer bool) ([]byte, error) {
	what := describe(rpc, answer)
	r := &request{
		id:     rpc + "-" + strconv.FormatUint(c.lastID.Add(1), 10),
		rpc:    rpc,
		done:   make(chan result, 1),
		answer: answer,
	}
	r.frame = wire.AppendRequest(make([]byte, 0, len(body)+2*len(rpc)+96), c.format, r.id, rpc, body)
	if len(r.frame) > c.opts.MaxMessageBytes {
		return nil, contract.Errorf(contract.ResourceExhausted, "%s was not sent: its %d bytes are more than MaxMessageBytes, %d", what, len(r.frame), c.opts.MaxMessageBytes)
	}
	var cn *conn
	for taken := false; !taken; {
		var err error
		if cn, err = c.connection(ctx, cn, what); err != nil {
			return nil, err
		}
		if answer && !cn.add(r) {
			continue
		}
		select {
		case cn.out <- r:
			taken = true
		case <-cn.dead:
		case <-c.ctx.Done():
		case <-ctx.Done():
		}
		if !taken {
			cn.take(r.id)
		}
	}
	select {
	case res := <-r.done:
		return res.body, res.err
	case <-ctx.Done():
	}
	if answer && cn.take(r.id) == nil {
		res := <-r.done // it was taken before: the result is there or about to be
		return res.body, res.err
	}
	return nil, mayHaveRun(what, contract.CodeOf(ctx.Err()), ctx.Err())
}

func describe(rpc string, answer bool) string {
	if answer {
		return "call " + strconv.Quote(rpc)
	}
	return "one-way call " + strconv.Quote(rpc)
}

// notSent is the error of a call that certainly did not run.
func notSent(what string, code contract.Code, cause error) error {
	return contract.Errorf(code, "%s was not sent: %w", what, cause)
}

// mayHaveRun is the error of a call that was sent and whose answer is not coming.
func mayHaveRun(what string, code contract.Code, cause error) error {
	return contract.Errorf(code, "%s may have run, its answer is not known: %w", what, cause)
}
