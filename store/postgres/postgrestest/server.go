package postgrestest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start or to stop.
const patience = time.Minute

// Server is a private Postgres server. Its methods may be called from any goroutine, but those that start and stop it only
// one at a time.
type Server struct {
	bin      string // the directory of the binaries
	dir      string // of everything that the server has
	settings []string
	guard    *guard

	process *exec.Cmd
	ended   chan struct{} // closed when process has ended

	mu  sync.Mutex
	log []string // the last lines that the server wrote
	n   int      // databases made
}

// Start makes a server and runs it until the test ends. Each of settings is a line for postgresql.conf, as "fsync=off"; what
// they leave out is as Postgres has it by default.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s, err := create(settings)
	if err != nil {
		fail(tb, err)
	}
	tb.Cleanup(func() { s.end(tb) })
	s.Start(tb)
	return s
}

var shared struct {
	sync.Once
	*Server
	err error
}

// Shared returns the one server of this test binary, which runs until that ends. It waits for no disk (fsync is off): what
// it holds is lost when the machine crashes, and with it the tests.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	shared.Do(func() {
		if shared.Server, shared.err = create([]string{"fsync=off"}); shared.err == nil {
			shared.err = shared.run()
		}
	})
	if shared.err != nil {
		fail(tb, shared.err)
	}
	return shared.Server
}

// errMissing says that this machine cannot run a server.
var errMissing = errors.New("postgrestest: there is no Postgres to test with")

func fail(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, errMissing) && os.Getenv("CI") != "true" { // which installs it
		tb.Skip(err)
	}
	tb.Fatal(err)
}

// create makes a server that does not run yet.
func create(settings []string) (_ *Server, err error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	attributes, uid, gid, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "socka-postgres-")
	if err != nil {
		return nil, fmt.Errorf("postgrestest: %w", err)
	}
	s := &Server{bin: bin, dir: dir}
	if err := os.Chown(dir, uid, gid); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("postgrestest: %w", err)
	}
	if s.guard, err = startGuard(dir, attributes); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		s.guard.end()
		return nil, fmt.Errorf("postgrestest: initdb: %w\n%s", err, out)
	}
	s.settings = append([]string{
		"listen_addresses=",
		"unix_socket_directories=" + dir,
		"lc_messages=C",
		"logging_collector=off",
		"log_destination=stderr",
	}, settings...)
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is a program of Postgres, run as its user.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr, _, _, _ = unprivileged() // it worked before
	return cmd
}

// Start runs a server that was stopped or killed, and returns when it accepts connections.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.run(); err != nil {
		tb.Fatal(err)
	}
}

// StartStandby runs a server that was stopped as a standby, which takes no writes. It has no primary to follow, and remains
// one.
func (s *Server) StartStandby(tb testing.TB) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(s.data(), "standby.signal"), nil, 0o644); err != nil {
		tb.Fatalf("postgrestest: %v", err)
	}
	s.Start(tb)
}

// run starts the server. After a kill the processes of the last run may take a moment to notice, and hold its shared memory:
// then it tries again.
func (s *Server) run() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := s.runOnce(ctx)
		if err == nil || ctx.Err() != nil || !s.said("is still in use") {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *Server) runOnce(ctx context.Context) error {
	args := []string{"-D", s.data()}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	s.mu.Lock()
	s.log = nil
	s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	s.process, s.ended = cmd, make(chan struct{})
	ready := make(chan struct{})
	go func() {
		s.read(stderr, ready)
		cmd.Wait()
		close(s.ended)
	}()
	select {
	case <-ready:
		return nil
	case <-s.ended:
		return fmt.Errorf("postgrestest: the server does not start:\n%s", s.Log())
	case <-ctx.Done():
		cmd.Process.Kill()
		return fmt.Errorf("postgrestest: the server was not ready within %v:\n%s", patience, s.Log())
	}
}

// read takes what the server writes, until the last of its processes has ended.
func (s *Server) read(from io.Reader, ready chan<- struct{}) {
	const keep = 5000
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := lines.Text()
		s.mu.Lock()
		s.log = append(s.log, line)
		if n := len(s.log); n > keep {
			s.log = slices.Delete(s.log, 0, n-keep)
		}
		s.mu.Unlock()
		if ready != nil && strings.Contains(line, "database system is ready to accept ") {
			close(ready)
			ready = nil
		}
	}
	io.Copy(io.Discard, from) // a line was too long
}

// Log returns the last lines that the server has written since it was started.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}

// ClearLog forgets what the server has written so far.
func (s *Server) ClearLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

func (s *Server) said(what string) bool { return strings.Contains(s.Log(), what) }

// Stop ends a server that runs, in good order: calls under way are broken off, and everything is on disk.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if err := s.signal(syscall.SIGINT); err != nil {
		tb.Fatal(err)
	}
}

// Kill ends a server that runs as a crash does: the main process gets a SIGKILL, the others end when they notice.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if err := s.signal(syscall.SIGKILL); err != nil {
		tb.Fatal(err)
	}
}

func (s *Server) signal(sig syscall.Signal) error {
	if err := s.process.Process.Signal(sig); err != nil {
		return fmt.Errorf("postgrestest: ending the server: %w", err)
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("postgrestest: the server has not ended within %v:\n%s", patience, s.Log())
	}
}

// end stops the server, if it runs, and removes everything.
func (s *Server) end(tb testing.TB) {
	tb.Helper()
	if s.process != nil {
		select {
		case <-s.ended:
		default:
			if err := s.signal(syscall.SIGINT); err != nil {
				tb.Error(err)
			}
		}
	}
	if err := s.guard.end(); err != nil {
		tb.Error(err)
	}
}

// URL is the address of a database of this server.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database}
	u.RawQuery = url.Values{"host": {s.dir}}.Encode()
	return u.String()
}

// Host is what a URL has as the parameter host to reach this server: the directory of its socket. Several may be joined by
// commas.
func (s *Server) Host() string { return s.dir }
