package postgrestest_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store/postgres/postgrestest"
)

func TestStopKillStart(t *testing.T) {
	s := postgrestest.Start(t, "work_mem=1234kB")
	url := s.Database(t)
	if got := s.Exec(t, url, "SHOW work_mem"); got != "1234kB" {
		t.Errorf("work_mem is %s, not as it was set", got)
	}
	s.Exec(t, url, "CREATE TABLE a (b int); INSERT INTO a VALUES (1)")
	for i, end := range []func(testing.TB){s.Stop, s.Kill, s.Kill} {
		end(t)
		s.Start(t)
		if got := s.Exec(t, url, "UPDATE a SET b = b + 1 RETURNING b"); got != fmt.Sprint(i+2) {
			t.Errorf("after the end %d of the server the row has %s, want %d", i, got, i+2)
		}
	}
	if !strings.Contains(s.Log(), "not properly shut down") {
		t.Errorf("the server does not say that it recovered from a kill:\n%s", s.Log())
	}
	s.Kill(t) // whatever state it is in, it is cleaned up
}

func TestDatabasesAreApart(t *testing.T) {
	s := postgrestest.Shared(t)
	if again := postgrestest.Shared(t); again != s {
		t.Error("Shared made a second server")
	}
	a, b := s.Database(t), s.Database(t)
	s.Exec(t, a, "CREATE TABLE a (b int)")
	s.Exec(t, b, "CREATE TABLE a (b int)")
	t.Run("Drop", func(t *testing.T) {
		url := s.Database(t)
		s.Exec(t, url, "CREATE TABLE a (b int)")
	})
	if n := s.Exec(t, a, "SELECT count(*) FROM pg_database WHERE datname LIKE 'test%'"); n != "2" {
		t.Errorf("%s databases are there, want the two whose test goes on", n)
	}
}

func TestDumpAndRestore(t *testing.T) {
	s := postgrestest.Shared(t)
	url := s.Database(t)
	s.Exec(t, url, "CREATE SCHEMA x CREATE TABLE a (b int); INSERT INTO x.a VALUES (1); CREATE TABLE other (b int)")
	dump := s.Dump(t, url, "--schema=x")
	s.Exec(t, url, "UPDATE x.a SET b = 2")
	s.Exec(t, url, "DROP SCHEMA x CASCADE")
	s.Restore(t, url, dump)
	if got := s.Exec(t, url, "SELECT b FROM x.a"); got != "1" {
		t.Errorf("the row has %q, want what it had when it was dumped", got)
	}
}

// A test binary that is killed leaves nothing behind. It is this one, run once more.
func TestNothingIsLeftOfAKilledTest(t *testing.T) {
	const key = "SOCKA_POSTGRESTEST_HANG"
	if os.Getenv(key) != "" {
		s := postgrestest.Start(t)
		fmt.Println("ready", s.Exec(t, s.URL("postgres"), "SHOW data_directory"))
		select {} // until it is killed
	}
	postgrestest.Shared(t) // skips where there is none
	cmd := exec.Command(os.Args[0], "-test.run=^TestNothingIsLeftOfAKilledTest$")
	cmd.Env = append(os.Environ(), key+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var dir string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("it ended before it was ready: %v", err)
		}
		if _, after, found := strings.Cut(line, "ready "); found {
			dir = strings.TrimSuffix(strings.TrimSpace(after), "/data")
			break
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, lines)
	cmd.Wait()
	for late := time.After(time.Minute); ; {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		select {
		case <-late:
			t.Fatalf("%s is still there", dir)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
