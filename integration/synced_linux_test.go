package integration

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
)

// TestAnswersAreSynced looks at the system calls of a server under EachTurn: nothing that a turn causes goes to a client before
// the log of the database, with what the turn has changed, is synced to the disk. With a store that does not sync, the same
// look finds that every answer went out too early.
func TestAnswersAreSynced(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("the calls of a process cannot be traced without strace (on Debian: apt-get install strace): %v", err)
	}
	if out, err := exec.Command(strace, "-f", "-yy", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %v\n%s", err, out)
	}
	const calls = 100
	for _, relaxed := range []bool{false, true} {
		t.Run(fmt.Sprintf("relaxed %v", relaxed), func(t *testing.T) {
			dir := t.TempDir()
			db, trace := filepath.Join(dir, "rooms.db"), filepath.Join(dir, "trace")
			p := serveLedgers(t, childConfig{Store: db, Relaxed: relaxed, LeaseTTL: time.Hour}, // the lease is not renewed meanwhile
				strace, "-f", "-yy", "-s", "32", "-e", "trace="+syscalls, "-o", trace)
			var at atomic.Pointer[string]
			c := client.New("ws://"+p.addr+"/ws/each/r?writer=w", &client.Options{
				Reconnect: client.ReconnectOptions{Disabled: true}, Logger: slog.New(slog.DiscardHandler),
				Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					if err == nil {
						local := conn.LocalAddr().String()
						at.Store(&local)
					}
					return conn, err
				},
			})
			defer c.Close()
			begun := make(chan begin, 1)
			client.On(c, entered, func(b begin) { begun <- b })
			if err := c.Connect(bounded(t)); err != nil {
				t.Fatal(err)
			}
			<-begun // else the first call might come before it
			for n := range calls {
				write(t, c, fmt.Sprintf("w-%d", n))
			}
			p.end()
			f, err := os.Open(trace)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			j := traceJudge{client: fmt.Sprintf("TCP:[%s->%s]", p.addr, *at.Load()), log: db + "-wal"}
			if err := j.judge(f); err != nil {
				t.Fatal(err)
			}
			t.Logf("the client was heard %d times and written to %d times, of which %d too early", j.heard, j.sent, len(j.faults))
			if j.heard <= calls || j.sent <= calls {
				t.Errorf("the trace shows that %d times something came from the client and %d times something went to it; there were %d calls", j.heard, j.sent, calls)
			}
			switch {
			case !relaxed && len(j.faults) > 0:
				t.Errorf("%d times something went out too early, first in %s", len(j.faults), j.faults[0])
			case relaxed && len(j.faults) < calls:
				t.Errorf("of %d answers without a sync only %d were found out", calls, len(j.faults))
			}
		})
	}
}
