//go:build linux

package sqlite

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Between the writes of a commit and its acknowledgement there is a sync of the write-ahead log, as strace sees it, and with
// Options.Relaxed there is none.
func TestSyncedBeforeAcknowledged(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") == "true" { // which installs it
			t.Fatal(err)
		}
		t.Skipf("strace is needed to see system calls: %v", err)
	}
	if out, err := exec.Command(strace, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace is not allowed to trace here: %v: %s", err, out)
	}
	const saves = 20
	for role, want := range map[string]bool{"save": true, "relaxed": false} {
		t.Run(role, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace")
			c := start(t, []string{strace, "-f", "-y", "-e", "trace=pwrite64,fsync,fdatasync,write", "-o", trace}, role, newPath(t), "one")
			for range saves {
				c.expect("saved")
			}
			c.end()
			text, err := os.ReadFile(trace)
			if err != nil {
				t.Fatal(err)
			}
			acknowledged, synced := readTrace(t, string(text))
			if acknowledged < saves {
				t.Fatalf("%d saves were acknowledged, of which the trace has %d", saves, acknowledged)
			}
			if want && synced != acknowledged || !want && synced > 1 { // the first has the header of the log synced
				t.Errorf("of %d saves that were acknowledged %d had been synced\n%s", acknowledged, synced, text)
			}
		})
	}
}

var traced = regexp.MustCompile(`^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\((\d+)<([^>]*)>)(.*)$`)

// readTrace counts the acknowledgements in a trace, and those before which all that was written to the log had been synced.
func readTrace(t *testing.T, trace string) (acknowledged, synced int) {
	t.Helper()
	var written, clean bool          // since the last acknowledgement: something was written; and synced
	begun := make(map[string]string) // the file of the sync that a thread is in
	for line := range strings.Lines(trace) {
		m := traced.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		thread, resumed, call, file, rest := m[1], m[2], m[3], m[5], m[6]
		wal := strings.HasSuffix(file, "-wal")
		isSync := func(call string) bool { return call == "fsync" || call == "fdatasync" }
		switch {
		case call == "pwrite64" && wal:
			written, clean = true, false
			clear(begun) // what is written while a sync is under way is not known to be in it
		case isSync(call) && wal && strings.HasSuffix(rest, "<unfinished ...>"):
			begun[thread] = file
		case isSync(call) && wal, isSync(resumed) && begun[thread] != "":
			if !strings.HasSuffix(rest, "= 0") {
				t.Errorf("a sync failed: %s", line)
			}
			delete(begun, thread)
			clean = true
		case call == "write" && strings.Contains(rest, `"saved `):
			acknowledged++
			if written && clean {
				synced++
			}
			written, clean = false, false
		}
	}
	return acknowledged, synced
}
