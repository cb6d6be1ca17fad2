package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
)

// roles are what this test program can be run as, as another process at the same file. They say what they did in lines on
// standard output, and end when standard input does.
var roles = map[string]func(s *Store, args []string) error{
	"hold":    roleHold,
	"save":    roleSave,
	"relaxed": roleSave, // on a store with Options.Relaxed
}

const roleVariable = "SOCKA_SQLITE_TEST_ROLE" // role, path, arguments

func TestMain(m *testing.M) {
	args := strings.Fields(os.Getenv(roleVariable))
	if len(args) == 0 {
		os.Exit(m.Run())
	}
	if err := play(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func play(args []string) error {
	s, err := Open(args[1], &Options{Relaxed: args[0] == "relaxed"})
	if err != nil {
		return err
	}
	if err := roles[args[0]](s, args[2:]); err != nil {
		return err
	}
	return s.Close()
}

// roleHold joins with a lease of an hour, acquires the rooms named, says so, and waits.
func roleHold(s *Store, rooms []string) error {
	ctx := context.Background()
	o, err := s.Join(ctx, store.Owner{Addr: "child"}, time.Hour)
	if err != nil {
		return err
	}
	for _, name := range rooms {
		linger := time.Duration(0)
		if strings.HasPrefix(name, "lingers") {
			linger = 30 * time.Minute
		}
		key := store.Key{Kind: "chat", Name: name}
		r, err := s.Acquire(ctx, o.ID, key)
		if err != nil {
			return err
		}
		if err := s.Save(ctx, []store.Batch{{Key: key, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: []byte("x")}}, Linger: linger}})[0]; err != nil {
			return err
		}
	}
	fmt.Println("holds", o.ID)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// roleSave appends records to the log of a room, one save after the other, and says of each that it was acknowledged.
var quiet uint64

func roleSave(s *Store, args []string) error {
	ctx := context.Background()
	o, err := s.Join(ctx, store.Owner{Addr: "child"}, time.Hour)
	if err != nil {
		return err
	}
	key := store.Key{Kind: "chat", Name: args[0]}
	r, err := s.Acquire(ctx, o.ID, key)
	if err != nil {
		return err
	}
	over := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	for seq := uint64(1); ; seq++ {
		select {
		case <-over:
			for i := uint64(0); i < quiet; i++ {
				fmt.Println()
			}
			return nil
		default:
		}
		b := store.Batch{Key: key, Epoch: r.Epoch, Append: []store.Append{{Log: "log", Record: store.Record{Seq: seq, Data: []byte("record")}}}}
		if err := s.Save(ctx, []store.Batch{b})[0]; err != nil {
			return err
		}
		if os.Getenv("QUIET") == "" || seq == 1 {
			fmt.Println("saved", seq)
		} else {
			quiet = seq
		}
	}
}

// child is another process.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

// start runs this test program as another process, behind another program if that is given, as strace is.
func start(t *testing.T, behind []string, role, path string, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(path, " \t") {
		t.Fatalf("the path %q has spaces in it", path)
	}
	line := append(behind, self)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+strings.Join(append([]string{role, path}, args...), " "))
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			c.kill()
		}
	})
	return c
}

// expect waits for the next line, which has to begin with a word, and returns the rest of it.
func (c *child) expect(word string) string {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("the other process ended, and was to say %q: %v", word, c.cmd.Wait())
	}
	rest, ok := strings.CutPrefix(c.lines.Text(), word+" ")
	if !ok {
		c.t.Fatalf("the other process said %q, want %q", c.lines.Text(), word)
	}
	return rest
}

// kill ends the process as nothing else does: it can do nothing about it.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// end asks the process to end, and waits until it has. It returns the lines it still said.
func (c *child) end() []string {
	c.t.Helper()
	c.stdin.Close()
	var rest []string
	for c.lines.Scan() {
		rest = append(rest, c.lines.Text())
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("the other process: %v", err)
	}
	return rest
}
