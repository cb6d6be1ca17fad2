package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/wire"
)

// contender is one server program and how it is spoken to.
type contender struct {
	name    string
	command []string // relative to the benchmarks folder
	dialect *load.Dialect
	what    string
}

const (
	socka        = "socka"
	sockaMsgpack = "socka msgpack"
	gws          = "gws"
	centrifuge   = "centrifuge"
	nodeWS       = "node ws+zod"
	socketIO     = "socket.io"
)

var contenders = []contender{
	{socka, []string{"bin/socka"}, load.Socka(wire.JSON), "typed handlers in a room, input and output validated, JSON"},
	{sockaMsgpack, []string{"bin/socka"}, load.Socka(wire.Msgpack), "the same over msgpack"},
	{gws, []string{"bin/gws"}, load.GWS(), "echoes bytes; gws.Broadcaster; no decoding, no validation, no rooms' turns, no bounds"},
	{centrifuge, []string{"bin/centrifuge"}, load.Centrifuge(), "RPC handler that gives the bytes back; publications; JSON protocol, no validation"},
	{nodeWS, []string{"node", "--expose-gc", "node/ws.js"}, load.Socka(wire.JSON), "ws with zod, envelope and body validated in and out, the same wire as socka"},
	{socketIO, []string{"node", "--expose-gc", "node/socketio.js"}, load.SocketIO(), "acknowledged events; io.to(room).emit; no validation"},
}

// file is the name as part of a file's name.
func (c contender) file() string { return strings.ReplaceAll(c.name, " ", "-") }

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
)

// process is a running contender.
type process struct {
	load.Server
	cmd   *exec.Cmd
	stdin io.Closer
	said  *tail
}

// start runs a contender on one processor, or on any if cpu is "".
func (c contender) start(ctx context.Context, folder, cpu string) (*process, error) {
	args := append([]string(nil), c.command...)
	if cpu != "" {
		args = append([]string{"taskset", "-c", cpu}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = folder
	p := &process{cmd: cmd, said: &tail{}}
	cmd.Stderr = p.said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	p.stdin = stdin
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		lines <- strings.TrimSpace(line)
	}()
	select {
	case line := <-lines:
		if _, _, err := net.SplitHostPort(line); err != nil {
			_ = p.stop()
			return nil, fmt.Errorf("%s printed %q where its address was wanted\n%s", c.name, line, p.said)
		}
		p.Server = load.Server{Addr: line, PID: cmd.Process.Pid, Dialect: c.dialect}
		return p, nil
	case <-time.After(startTimeout):
		_ = p.stop()
		return nil, fmt.Errorf("%s printed no address within %v\n%s", c.name, startTimeout, p.said)
	}
}

// stop ends the process: politely, then not. It fails if the process did not end in good order.
func (p *process) stop() error {
	_ = p.stdin.Close()
	late := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	err := p.cmd.Wait()
	if !late.Stop() {
		return nil // one that is still busy with what was offered to it
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%s: %w\n%s", p.cmd.Path, err, p.said)
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	t.b = t.b[max(0, len(t.b)-4096):]
	return len(b), nil
}

func (t *tail) String() string { return string(t.b) }

// findFolder gives the folder of this module: the working directory, or its benchmarks folder.
func findFolder() (string, error) {
	for _, folder := range []string{".", "benchmarks"} {
		if _, err := os.Stat(filepath.Join(folder, "node", "package-lock.json")); err == nil {
			return filepath.Abs(folder)
		}
	}
	return "", errors.New("run this in the benchmarks folder, or in the one above it")
}
