package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/serve"
	"github.com/lxzan/gws"
)

// everyone gives each message to all connections; with alone, to its sender only.
type everyone struct {
	gws.BuiltinEventHandler
	alone bool

	mu  sync.Mutex
	all []*gws.Conn
}

func (e *everyone) OnOpen(c *gws.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, c)
}

func (e *everyone) OnMessage(c *gws.Conn, m *gws.Message) {
	if e.alone {
		_ = c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.all {
		_ = c.WriteMessage(m.Opcode, m.Bytes())
	}
}

// server runs in this process, so that what is measured of it is this process.
func server(t *testing.T, alone bool) Server {
	t.Helper()
	upgrader := gws.NewUpgrader(&everyone{alone: alone}, nil)
	var running sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gc" {
			_ = json.NewEncoder(w).Encode(serve.Memory{Heap: 1 << 20})
			return
		}
		running.Add(1) // before the upgrade, after which Close does not wait for this
		defer running.Done()
		if c, err := upgrader.Upgrade(w, r); err == nil {
			c.ReadLoop()
		}
	}))
	t.Cleanup(func() { s.Close(); running.Wait() })
	return Server{Addr: s.Listener.Addr().String(), PID: os.Getpid(), Dialect: GWS()}
}

var instant = Times{Measure: 50 * time.Millisecond}

func TestCallsAreCounted(t *testing.T) {
	for name, o := range map[string]Calls{
		"as answered": {Connections: 3, Depth: 2, Size: 64, Idle: 2, Times: instant},
		"on schedule": {Connections: 3, Rate: 1000, Size: 64, Idle: 2, Times: instant},
	} {
		r, err := o.Run(t.Context(), server(t, true))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r.CPU <= 0 || r.Rate <= 0 || r.P50 <= 0 || r.P99 < r.P50 {
			t.Errorf("%s: %+v", name, r)
		}
		// What was due before the measurement may be answered in it.
		if o.Rate > 0 && r.Rate > 2*o.Rate {
			t.Errorf("%s: %v calls/s of %v", name, r.Rate, o.Rate)
		}
	}
}

func TestRoomsOfCalls(t *testing.T) {
	c := calling{Calls: Calls{Connections: 5, Idle: 101}}
	if c.roomOf(0) != "calls" || c.roomOf(4) != "calls" || c.roomOf(5) != "idle-0" || c.roomOf(105) != "idle-1" {
		t.Errorf("one room: %s, %s, %s, %s", c.roomOf(0), c.roomOf(4), c.roomOf(5), c.roomOf(105))
	}
	c.InRoom = 4
	if c.roomOf(3) != "calls-0" || c.roomOf(4) != "calls-1" || c.roomOf(5) != "idle-0" {
		t.Errorf("rooms of 4: %s, %s, %s", c.roomOf(3), c.roomOf(4), c.roomOf(5))
	}
}

func TestDeliveriesAreCounted(t *testing.T) {
	for name, rate := range map[string]float64{"saturating": 0, "on schedule": 1000} {
		r, err := Broadcast{Rooms: 1, Members: 5, Rate: rate, Size: 64, Times: instant}.Run(t.Context(), server(t, false))
		if err != nil || r.Delivered != 1 || r.Rate <= 0 || r.P50 <= 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestIdleConnectionsAreMeasured(t *testing.T) {
	m, err := Idle{Connections: 10, Watch: time.Millisecond}.Memory(t.Context(), server(t, true))
	if err != nil || m.HeapKiB != 0 || m.CPU < 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestABrokenConnectionEndsTheLoad(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() { // upgrades, reads a frame and is gone
		if c, err := listener.Accept(); err == nil {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_, _ = c.Read(make([]byte, 4096))
			_ = c.Close()
		}
	}()
	o := Calls{Connections: 1, Depth: 1, Size: 64, Times: Times{Measure: time.Minute}}
	if _, err := o.Run(t.Context(), Server{Addr: listener.Addr().String(), PID: os.Getpid(), Dialect: GWS()}); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}

// Messages of all lengths arrive whole and in order, whatever the reads and writes were.
func TestReceive(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	const n = 500
	size := func(i int) int { return i * 7 % 125 }
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		var all []byte
		for i := range n {
			all = append(append(all, 0x81, byte(size(i))), bytes.Repeat([]byte{byte(i)}, size(i))...)
		}
		for step := 1; len(all) > 0; step = step*5%1009 + 1 {
			k := min(step, len(all))
			_, _ = c.Write(all[:k])
			all = all[k:]
		}
		_ = c.Close()
	}()
	nc, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &socket{nc: nc.(*net.TCPConn), dialect: GWS(), buf: make([]byte, 64)}
	defer s.close()
	got := 0
	err = s.receive(func() error {
		return s.next(func(_ Kind, m []byte) {
			if len(m) != size(got) || len(bytes.Trim(m, string([]byte{byte(got)}))) != 0 {
				t.Errorf("message %d is %q", got, m)
			}
			got++
		})
	})
	if err != io.EOF || got != n {
		t.Errorf("%d messages of %d, %v", got, n, err)
	}
}

func TestSourceAddresses(t *testing.T) {
	if a := client(19_999); a != nil {
		t.Errorf("connection 19,999 comes from %v", a)
	}
	if a := client(45_000); a.String() != "127.0.0.3:0" {
		t.Errorf("connection 45,000 comes from %v", a)
	}
}

func TestSchedules(t *testing.T) {
	s := schedule{begin: time.Now().Add(-time.Hour), step: float64(time.Second)}
	if !s.isDue() || s.late() < 3600 || s.pause() != interval {
		t.Errorf("an hour late: %v, %d, %v", s.isDue(), s.late(), s.pause())
	}
	s.done = 7200
	if s.isDue() || s.due(7200) != 2*time.Hour || s.pause() < 50*time.Minute {
		t.Errorf("an hour early: %v, %v, %v", s.isDue(), s.due(7200), s.pause())
	}
}

func TestCPUClock(t *testing.T) {
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	got, err := CPUOf(os.Getpid())
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	of := func(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }
	const slack = 50 * time.Millisecond // of two ways to count
	if err != nil || got < of(before)-slack || got > of(after)+slack {
		t.Errorf("got %v, %v; want %v to %v", got, err, of(before), of(after))
	}
	if _, err := CPUOf(1 << 22); err == nil {
		t.Error("a process that cannot be has a clock")
	}
}

func TestMemoryOfProcesses(t *testing.T) {
	if v, err := kib("/proc/self/status", "VmRSS"); err != nil || v < 100 {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := kib("/proc/self/status", "VmNothing"); err == nil || !strings.Contains(err.Error(), "VmNothing") {
		t.Errorf("got %v", err)
	}
}

func TestMedians(t *testing.T) {
	for want, list := range map[float64][]float64{2: {3, 1, 2}, 2.5: {4, 1, 2, 3}, 7: {7}} {
		if got := Median(list); got != want {
			t.Errorf("median of %v is %v, want %v", list, got, want)
		}
	}
	if got := Median(nil); got == got {
		t.Errorf("median of nothing is %v", got)
	}
}

func TestWhatAidsTheServerIsCountedApart(t *testing.T) {
	s := server(t, true)
	var used time.Duration
	s.Aid = func() (time.Duration, error) { // twice in a measurement
		used += time.Hour
		return used, nil
	}
	r, err := Calls{Connections: 1, Depth: 1, Size: 64, Times: instant}.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Aid.Seconds() * r.Rate * instant.Measure.Seconds() / time.Hour.Seconds(); got <= 0 || got > 1.1 || r.Others != 0 {
		t.Errorf("of an hour that was used %.2f are in the calls, others used %.2f processors", got, r.Others)
	}
	failure := errors.New("it has ended")
	s.Aid = func() (time.Duration, error) { return 0, failure }
	if _, err := (Calls{Connections: 1, Depth: 1, Size: 64, Times: instant}).Run(t.Context(), s); !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
}
