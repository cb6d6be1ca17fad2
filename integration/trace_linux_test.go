package integration

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// syscalls are the calls that a trace needs to have: what reads and writes files and sockets, and what syncs.
const syscalls = "read,recvfrom,recvmsg,readv,write,writev,sendto,sendmsg,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range"

// traceJudge follows the system calls of a server that has one client, which waits for the answer to each call before the next.
// Nothing may go to that client unless the log of the database was written since the client was last heard, and synced
// since it was last written.
//
//	read from the client ─▶ pwrite64 to the log … ─▶ fdatasync of the log = 0 ─▶ write to the client
//
// A call of the system takes time while those of other threads go on. To be on the safe side the client is heard when a read
// ends, the log is written from the beginning of a write until its end, a sync counts for writes that ended before it began,
// and something goes out when its write begins.
type traceJudge struct {
	client string // as strace describes the socket
	log    string // a path

	begun   map[string]traced // by thread
	writing int               // writes to the log under way
	written bool              // the log was, since the client was heard
	dirty   bool              // the log was written and not synced
	tainted map[string]bool   // by thread with a sync under way: the log was written since it began

	heard, sent int
	faults      []string
}

// traced is a system call that has begun.
type traced struct{ name, file, args string }

var (
	traceLine    = regexp.MustCompile(`^(\d+) +(\w+)\(\d+<(.*?)>(?:[,)]| <unfinished)(.*)$`)
	traceResumed = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	traceResult  = regexp.MustCompile(` = (-?\d+)(?: E[A-Z]+ \(.*\))?$`)
)

// judge reads a trace that strace has made with -f -yy. It fails if a line that matters cannot be read.
func (j *traceJudge) judge(trace io.Reader) error {
	j.begun, j.tainted = make(map[string]traced), make(map[string]bool)
	lines := bufio.NewReader(trace)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		line = strings.TrimRight(line, "\n")
		var thread string
		if m := traceLine.FindStringSubmatch(line); m != nil {
			thread = m[1]
			j.begun[thread] = traced{m[2], m[3], m[4]}
			j.begins(thread, j.begun[thread], n)
			if strings.HasSuffix(line, "<unfinished ...>") {
				continue
			}
		} else if m := traceResumed.FindStringSubmatch(line); m != nil {
			thread = m[1]
		} else {
			continue // signals, the ends of threads, calls without a descriptor
		}
		call, ok := j.begun[thread]
		if !ok {
			continue
		}
		delete(j.begun, thread)
		if j.concerns(call) {
			result, err := resultOf(line)
			if err != nil {
				return fmt.Errorf("line %d of the trace: %w", n, err)
			}
			j.ends(thread, call, result)
		}
	}
}

func resultOf(line string) (int, error) {
	m := traceResult.FindStringSubmatch(line)
	if m == nil {
		if strings.HasSuffix(line, "= ?") { // the process ended in it
			return -1, nil
		}
		return 0, fmt.Errorf("no result in %q", line)
	}
	return strconv.Atoi(m[1])
}

func (j *traceJudge) concerns(c traced) bool { return c.file == j.client || c.file == j.log }

func (c traced) reads() bool {
	return c.name == "read" || strings.HasPrefix(c.name, "recv") || c.name == "readv"
}

// syncs says whether it is one of the two that wait for the disk.
func (c traced) syncs() bool { return c.name == "fsync" || c.name == "fdatasync" }

func (j *traceJudge) begins(thread string, c traced, n int) {
	switch {
	case c.file == j.log && c.syncs():
		j.tainted[thread] = j.writing > 0
	case c.file == j.log && !c.reads():
		j.writing++
		j.written, j.dirty = true, true
		for t := range j.tainted {
			j.tainted[t] = true
		}
	case c.file == j.client && !c.reads():
		if strings.HasPrefix(c.args, ` "HTTP/1.1 101 `) {
			return // the connection is there before the session
		}
		j.sent++
		switch {
		case !j.written:
			j.faults = append(j.faults, fmt.Sprintf("line %d: something went to the client before the log was written", n))
		case j.dirty:
			j.faults = append(j.faults, fmt.Sprintf("line %d: something went to the client before the log was synced", n))
		}
	}
}

func (j *traceJudge) ends(thread string, c traced, result int) {
	switch {
	case c.file == j.log && c.syncs():
		if result == 0 && !j.tainted[thread] {
			j.dirty = false
		}
		delete(j.tainted, thread)
	case c.file == j.log && !c.reads():
		j.writing--
	case c.file == j.client && c.reads() && result > 0:
		j.heard++
		j.written = false
	}
}

// What the judge makes of a trace, told as text.
func TestTraceJudge(t *testing.T) {
	const (
		hear   = `1 read(5<TCP:[a->b]>, "x"..., 4096) = 20`
		write  = `2 pwrite64(7</db-wal>, "x"..., 4096, 32) = 4096`
		sync   = `2 fdatasync(7</db-wal>) = 0`
		answer = `1 write(5<TCP:[a->b]>, "x", 8) = 8`
	)
	for name, c := range map[string]struct {
		lines []string
		want  string // begin of the fault
	}{
		"in order":            {[]string{hear, write, write, sync, answer, answer, hear, write, sync, answer}, ""},
		"an upgrade":          {[]string{hear, `1 write(5<TCP:[a->b]>, "HTTP/1.1 101 Switching"..., 8) = 8`, write, sync, answer}, ""},
		"nothing to read yet": {[]string{hear, write, sync, `1 read(5<TCP:[a->b]>, 0x1, 40) = -1 EAGAIN (Resource temporarily unavailable)`, answer}, ""},
		"no sync":             {[]string{hear, write, answer}, "line 3: something went to the client before the log was synced"},
		"a sync that fails":   {[]string{hear, write, `2 fdatasync(7</db-wal>) = -1 EIO (Input/output error)`, answer}, "line 4: "},
		"another file":        {[]string{hear, write, `2 fdatasync(8</db>) = 0`, answer}, "line 4: "},
		"too early a sync":    {[]string{hear, write, sync, write, answer}, "line 5: "},
		"no write":            {[]string{hear, write, sync, answer, hear, answer}, "line 6: something went to the client before the log was written"},
		"written meanwhile": {[]string{hear, write, `2 fdatasync(7</db-wal> <unfinished ...>`, `3 pwrite64(7</db-wal>, "x"..., 4096, 32) = 4096`,
			`2 <... fdatasync resumed>) = 0`, answer}, "line 6: "},
		"still under way": {[]string{hear, write, `2 fdatasync(7</db-wal> <unfinished ...>`, answer, `2 <... fdatasync resumed>) = 0`}, "line 4: "},
		"read meanwhile":  {[]string{`1 read(5<TCP:[a->b]>,  <unfinished ...>`, write, sync, `1 <... read resumed>"x"..., 4096) = 20`, answer}, "line 5: "},
	} {
		t.Run(name, func(t *testing.T) {
			j := traceJudge{client: "TCP:[a->b]", log: "/db-wal"}
			if err := j.judge(strings.NewReader(strings.Join(c.lines, "\n") + "\n")); err != nil {
				t.Fatal(err)
			}
			switch {
			case c.want == "" && len(j.faults) > 0, c.want != "" && len(j.faults) == 0:
				t.Errorf("faults: %q, want %q", j.faults, c.want)
			case c.want != "" && !strings.HasPrefix(j.faults[0], c.want):
				t.Errorf("fault %q, want %q", j.faults[0], c.want)
			}
		})
	}
}
