package load

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/gosocka/socka/wire"
)

// fail ends the run, with the first error.
func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		r.failure = err
	}
	r.cancel()
}

func (r *run) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// callFailed notes an error answer. If not one call was answered before, none will be: the run ends.
func (r *run) callFailed(f wire.Frame) {
	text := r.explainFailure(f)
	r.note(text)
	if !r.worked.Load() {
		r.fail(errors.New(text))
	}
}

// explainFailure says what to raise, for the codes of this project's server.
func (r *run) explainFailure(f wire.Frame) string {
	text, hint := f.Error, "; choose a call of the server and its body with -call and -body"
	if f.HasCode {
		text = f.Code + ": " + text
	}
	switch f.Code {
	case "rate_limited":
		hint = "; raise conn.Options.CallsPerSecond (200 by default) and CallBurst"
	case "resource_exhausted":
		hint = "; raise conn.Options.MaxInFlight (128 by default) or lower -depth"
	}
	return "call " + clip(r.cfg.Call) + " failed: " + clip(text) + hint
}

// lost notes the end of a connection.
func (r *run) lost(c *client, err error) {
	alive := r.alive.Add(-1)
	r.members[c.room].Add(-1)
	if r.leaving.Load() || errors.Is(err, net.ErrClosed) {
		return
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the server closed the connection without a close frame")
	}
	r.mu.Lock()
	r.ended++
	r.mu.Unlock()
	r.note(err.Error())
	if alive == 0 && r.sending.Load() {
		r.fail(fmt.Errorf("all connections were lost: %w", err))
	}
}

// note counts a text.
func (r *run) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.texts[text]; !known && len(r.texts) >= maxTexts {
		text = "others"
	}
	r.texts[text]++
}

func (r *run) firstText() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for text := range r.texts {
		return text
	}
	return "no reason is known"
}

func (r *run) lostSoFar() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}
