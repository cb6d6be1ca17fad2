package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
)

// process is a server of ledgers in a process of its own.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.Closer
	said  firstLine
	ended chan struct{} // closed when the process has ended
	addr  string        // once it listens
}

// spawn starts a process, behind another program if that is given, as strace is. It ends with the test, and with the test
// binary, whatever ends that.
func spawn(t testing.TB, c childConfig, behind ...string) *process {
	t.Helper()
	p, err := start(t, c, behind...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func start(t testing.TB, c childConfig, behind ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	line := append(behind, self)
	cmd := exec.Command(line[0], line[1:]...)
	p := &process{t: t, cmd: cmd, said: firstLine{line: make(chan string, 1)}, ended: make(chan struct{})}
	cmd.Env = append(os.Environ(), childVariable+"="+string(config))
	cmd.Stdout, cmd.Stderr = &p.said, t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a thread of Go's that is not locked never ends
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// firstLine takes the first line of what is written.
type firstLine struct {
	buf  bytes.Buffer
	over bool
	line chan string
}

func (f *firstLine) Write(b []byte) (int, error) {
	f.buf.Write(b)
	if i := bytes.IndexByte(f.buf.Bytes(), '\n'); i >= 0 && !f.over {
		f.line <- f.buf.String()[:i]
		f.over = true
	}
	return len(b), nil
}

// serveLedgers starts a process and waits until it listens.
func serveLedgers(t testing.TB, c childConfig, behind ...string) *process {
	t.Helper()
	p := spawn(t, c, behind...)
	p.listens()
	return p
}

// listens waits until it does.
func (p *process) listens() {
	p.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case p.addr = <-p.said.line:
	case <-p.ended:
		p.t.Fatalf("the process has ended and never listened: %v", p.cmd.ProcessState)
	case <-late.C:
		p.t.Fatal("the process does not listen")
	}
}

// kill ends the process as nothing else does: it can do nothing about it. It returns when the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.stdin.Close()
	<-p.ended
}

// end ends the process, and what it runs behind, and waits for both.
func (p *process) end() {
	p.t.Helper()
	_ = p.stdin.Close()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		p.t.Fatal("the process does not end")
	}
}

// signal sends one, as SIGSTOP.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// mustLive fails the test if the process has ended.
func (p *process) mustLive() {
	p.t.Helper()
	select {
	case <-p.ended:
		p.t.Fatalf("the process has ended: %v", p.cmd.ProcessState)
	default:
	}
}

// plainHTTP keeps no connections, so that none to a killed process is used.
var plainHTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// get asks for a path.
func (p *process) get(path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+path, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := plainHTTP.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// ready says what /healthz does.
func (p *process) ready() error {
	status, body, err := p.get("/healthz")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, strings.TrimSpace(string(body)))
	}
	return err
}

// page reads what a room knows. While the room is unavailable, as when it still is a dead process's, it asks again.
func (p *process) page(kind, name string) (out page, err error) {
	var status int
	var body []byte
	if !holds(func() bool {
		status, body, err = p.get("/rooms/" + kind + "/" + name)
		return err != nil || status != http.StatusServiceUnavailable
	}) || err == nil && status != http.StatusOK {
		err = fmt.Errorf("reading room %s/%s: %d: %s", kind, name, status, strings.TrimSpace(string(body)))
	}
	if err == nil {
		err = json.Unmarshal(body, &out)
	}
	return out, err
}

// place is where clients find the process that serves them at the moment.
type place struct{ addr atomic.Pointer[string] }

func (p *place) set(addr string) { p.addr.Store(&addr) }

func (p *place) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	addr := p.addr.Load()
	if addr == nil {
		return nil, errors.New("nobody serves yet")
	}
	return new(net.Dialer).DialContext(ctx, network, *addr)
}

// client makes a client that comes again at once when it has lost its connection.
func (p *place) client(path string) *client.Client {
	return client.New("ws://ledgers.test/ws/"+path, &client.Options{
		Dial: p.dial, Logger: slog.New(slog.DiscardHandler),
		Reconnect: client.ReconnectOptions{Initial: 10 * time.Millisecond, Max: 50 * time.Millisecond},
	})
}
