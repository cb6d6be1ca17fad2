package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Server is the process under load.
type Server struct {
	Addr    string // of its listener
	PID     int
	Dialect *Dialect
	Aid     func() (time.Duration, error) // CPU time of what works for it, such as a database; nil: nothing does
}

// Result is what one measurement of one contender came to. Fields that a scenario has no figure for are 0.
type Result struct {
	CPU       time.Duration // user and system time of the server, per operation
	Aid       time.Duration // of what works for it, likewise
	Rate      float64       // operations a second
	Delivered float64       // deliveries made of those offered, 0 to 1
	P50       time.Duration
	P99       time.Duration
	KiB       float64 // of the server's memory, per connection or room
	HeapKiB   float64 // of that, what the server's heap says that it has in use
	StackKiB  float64 // of that, stacks of goroutines
	Load      float64 // processors that the load generator used
	Others    float64 // processors that other processes used
}

// Full is the Load at which the load generator, which has one processor, counts as what limits the rate.
const Full = 0.95

// Server is how many processors the server used.
func (r Result) Server() float64 { return r.CPU.Seconds() * r.Rate }

// Times are the length of a measurement and of what comes before it.
type Times struct{ Warm, Measure time.Duration }

// meter reads the clocks at the two ends of a measurement.
type meter struct {
	of                         Server
	at                         time.Time
	server, aid, self, machine time.Duration
}

func readMeter(of Server) (m meter, err error) {
	m.of, m.at = of, time.Now()
	if m.server, err = CPUOf(of.PID); err != nil {
		return m, fmt.Errorf("the server: %w", err)
	}
	if of.Aid != nil {
		if m.aid, err = of.Aid(); err != nil {
			return m, err
		}
	}
	if m.self, err = CPUOf(os.Getpid()); err != nil {
		return m, err
	}
	m.machine, err = MachineCPU()
	return m, err
}

// until gives what happened from m until now, in which the server did ops operations.
func (m meter) until(ops uint64) (Result, error) {
	now, err := readMeter(m.of)
	if err != nil {
		return Result{}, err
	}
	if ops == 0 {
		return Result{}, fmt.Errorf("nothing came from the server in %v", now.at.Sub(m.at))
	}
	took := now.at.Sub(m.at).Seconds()
	server, aid, self := now.server-m.server, now.aid-m.aid, now.self-m.self
	return Result{
		CPU:    time.Duration(float64(server) / float64(ops)),
		Aid:    time.Duration(float64(aid) / float64(ops)),
		Rate:   float64(ops) / took,
		Load:   self.Seconds() / took,
		Others: max(0, (now.machine-m.machine-server-aid-self).Seconds()/took),
	}, nil
}

// crew is the connections of a scenario, and the goroutines that read from them.
type crew struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	sockets []*socket
	readers sync.WaitGroup
}

func newCrew(ctx context.Context) *crew {
	c := &crew{}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// dialAll opens n connections, a few at a time; the i-th enters the room that room(i) names.
func (c *crew) dialAll(s Server, n int, room func(int) string, calls bool, readBuffer int) error {
	const atOnce = 16
	c.sockets = make([]*socket, n)
	var dialers sync.WaitGroup
	for d := range atOnce {
		dialers.Go(func() {
			for i := d; i < n && c.ctx.Err() == nil; i += atOnce {
				socket, err := dial(c.ctx, client(i), s.Addr, s.Dialect, room(i), calls, readBuffer)
				if err != nil {
					c.cancel(fmt.Errorf("connection %d of %d: %w", i+1, n, err))
					return
				}
				c.sockets[i] = socket
			}
		})
	}
	dialers.Wait()
	return context.Cause(c.ctx)
}

// read looks at the messages of a connection until the crew ends: those of one read are given to each, then their number
// to take. now is when they were read. A broken connection ends the crew.
func (c *crew) read(s *socket, take func(messages int) error, each func(m []byte, now time.Time)) {
	c.readers.Go(func() {
		var n int
		var now time.Time
		one := func(k Kind, m []byte) {
			if k == Payload {
				n++
				each(m, now)
			}
		}
		c.cancel(s.receive(func() error {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			n, now = 0, time.Now()
			if err := s.next(one); err != nil || n == 0 {
				return err
			}
			return take(n)
		}))
	})
}

// wait sleeps, or returns why the crew ended.
func (c *crew) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// end closes all connections and waits for the readers.
func (c *crew) end() {
	c.cancel(nil)
	for _, s := range c.sockets {
		if s != nil {
			s.close()
		}
	}
	c.readers.Wait()
}

// control makes a request beside the load, such as to collect garbage, and gives the body of its answer.
func control(ctx context.Context, s Server, path string) ([]byte, error) {
	const most = 64 << 20
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr+path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s: %.1000s", path, response.Status, body)
	}
	return body, err
}

// Profile gives a CPU profile of a server written in Go, over d from now on, in whole seconds.
func Profile(ctx context.Context, s Server, d time.Duration) ([]byte, error) {
	return control(ctx, s, fmt.Sprintf("/profile?seconds=%d", max(1, int(d.Seconds()))))
}

// SaveProfile writes it to a file.
func SaveProfile(ctx context.Context, s Server, d time.Duration, file string) error {
	profile, err := Profile(ctx, s, d)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, profile, 0o644)
}
