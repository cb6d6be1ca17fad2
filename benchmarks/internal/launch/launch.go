// Package launch starts the servers under load, and ends them.
package launch

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
	"slices"
	"strings"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
)

// Process is a running server.
type Process struct {
	load.Server
	cmd   *exec.Cmd
	stdin io.Closer
	said  *tail
}

// Start runs a command of Folder on one processor, or on any if cpu is "".
func Start(ctx context.Context, folder, cpu string, command []string, dialect *load.Dialect) (*Process, error) {
	args := slices.Clone(command)
	if cpu != "" {
		args = append([]string{"taskset", "-c", cpu}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = folder
	p := &Process{cmd: cmd, said: &tail{}}
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
		return nil, fmt.Errorf("start %q: %w", command, err)
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
			_ = p.Stop()
			return nil, fmt.Errorf("%q printed %q where its address was wanted\n%s", command, line, p.said)
		}
		p.Server = load.Server{Addr: line, PID: cmd.Process.Pid, Dialect: dialect}
		return p, nil
	case <-time.After(startTimeout):
		_ = p.Stop()
		return nil, fmt.Errorf("%q printed no address within %v\n%s", command, startTimeout, p.said)
	}
}

// Stop ends the process: politely, then not. It fails if the process did not end in good order.
func (p *Process) Stop() error {
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

// Folder gives the folder of this module: the working directory, or its benchmarks folder.
func Folder() (string, error) {
	for _, folder := range []string{".", "benchmarks"} {
		if _, err := os.Stat(filepath.Join(folder, "node", "package-lock.json")); err == nil {
			return filepath.Abs(folder)
		}
	}
	return "", errors.New("run this in the benchmarks folder, or in the one above it")
}
