package roomtest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

// failing are tests that must fail, with what they must say. They run in a process of their own.
var failing = map[string]struct {
	say string
	f   func(s *roomtest.Server)
}{
	"Expect, nothing came": {"countdown/k2 got no left; what it got and was not expected yet: nothing", func(s *roomtest.Server) {
		roomtest.Expect(s.Connect("countdown/k2"), Left)
	}},
	"Expect, another came": {"countdown/k2 got no other; what it got and was not expected yet: left, left", func(s *roomtest.Server) {
		c := s.Connect("countdown/k2")
		roomtest.Call(c, Start, From{Seconds: 60})
		s.Advance(2 * time.Second)
		roomtest.Expect(c, contract.NewPush[Remaining](contract.New("another"), "other"))
	}},
	"ExpectNone": {"countdown/k2 got left {Seconds:59}", func(s *roomtest.Server) {
		c := s.Connect("countdown/k2")
		roomtest.Call(c, Start, From{Seconds: 60})
		s.Advance(time.Second)
		roomtest.ExpectNone(c, Left)
	}},
	"Call, refused": {"start by countdown/k2: conflict: a countdown is running", func(s *roomtest.Server) {
		c := s.Connect("countdown/k2")
		roomtest.Call(c, Start, From{Seconds: 60})
		roomtest.Call(c, Start, From{Seconds: 60})
	}},
	"Refused, but it was not": {"start by countdown/k2: want an error, got {}", func(s *roomtest.Server) {
		roomtest.Refused(s.Connect("countdown/k2"), Start, From{Seconds: 60})
	}},
	"Send, closed": {"by countdown/k2: ", func(s *roomtest.Server) {
		c := s.Connect("countdown/k2")
		c.Close()
		roomtest.Send(c, contract.NewOneWay[From](contract.New("more"), "anything"), From{Seconds: 1})
	}},
	"Connect, no such kind": {"connect to nothing/k2: ", func(s *roomtest.Server) {
		s.Connect("nothing/k2")
	}},
	"a goroutine is left over": {"blocked goroutines remain", func(s *roomtest.Server) {
		go func() { <-make(chan int) }()
	}},
}

// A helper that fails says what is wrong, at the line of the test that called it.
func TestHelpersFailWithAReason(t *testing.T) {
	if name := os.Getenv("ROOMTEST_FAILING"); name != "" {
		roomtest.Run(t, failing[name].f, Definition())
		return
	}
	for name, c := range failing {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHelpersFailWithAReason$")
		cmd.Env = append(os.Environ(), "ROOMTEST_FAILING="+name)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%s: the test did not fail (%v):\n%s", name, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "roomtest: ") && !strings.HasPrefix(strings.TrimSpace(line), "roomtest_test.go:") {
				t.Errorf("%s: said at another place than the test's: %s", name, line)
			}
		}
		if !strings.Contains(string(out), c.say) {
			t.Errorf("%s: want %q in\n%s", name, c.say, out)
		}
	}
}

// A helper waits until everything that it caused is there, and takes each push once, in order.
func TestPushesAreTakenOnceInOrder(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada, bob := s.Connect("/countdown/k2"), s.Connect("countdown/k2?wire=msgpack")
		roomtest.Call(ada, Start, From{Seconds: 3})
		s.Advance(time.Second)
		for _, c := range []*roomtest.Client{ada, bob} {
			if got := roomtest.Expect(c, Left); got.Seconds != 2 {
				t.Errorf("the first push: %+v", got)
			}
			roomtest.ExpectNone(c, Left)
		}
		s.Advance(time.Hour)
		for _, c := range []*roomtest.Client{ada, bob} {
			if got := roomtest.Pushes(c, Left); len(got) != 2 || got[0].Seconds != 1 || got[1].Seconds != 0 {
				t.Errorf("the rest: %+v", got)
			}
			if got := roomtest.Pushes(c, Left); got != nil {
				t.Errorf("taken twice: %+v", got)
			}
		}
	}, Definition())
}

// Dial reconnects if it is told to, and tells of a refusal by OnAttach, which comes after the upgrade.
func TestDial(t *testing.T) {
	def := Definition()
	shut := false
	def.OnAttach = func(ctx context.Context, t *turn) error {
		if shut {
			return contract.Errorf(contract.FailedPrecondition, "the door is shut")
		}
		return nil
	}
	roomtest.RunOptions(t, &room.Options{Conn: conn.Options{CallsPerSecond: -1}}, func(s *roomtest.Server) {
		c, err := s.Dial("countdown/k2", &client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.Room("countdown", "k2").Close(s.T.Context(), conn.CloseUnavailable, "come again")
		s.Advance(5 * time.Second)
		roomtest.Call(c, Start, From{Seconds: 60})
		for range 1000 { // the options hold: calls without a limit, in no time
			if err := roomtest.Refused(c, Start, From{Seconds: 60}); err.Code != contract.Conflict {
				t.Fatal(err)
			}
		}
		shut = true
		_, err = s.Dial("countdown/k2", nil)
		var closed *client.ConnectionError
		if !errors.As(err, &closed) || uint16(closed.Code) != conn.CloseRefused {
			t.Errorf("refused by OnAttach: %v", err)
		}
	}, def)
}
