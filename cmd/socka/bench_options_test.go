package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/cmd/socka/internal/load"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/examples/bench"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/wire"
)

// Credentials go by header or in the URL, over TLS, whose certificate may be anybody's only with -insecure.
func TestCredentialsAndTLS(t *testing.T) {
	def := bench.Definition()
	def.Authenticate = func(r *http.Request, _ room.ID) (struct{}, error) {
		_, password, _ := r.BasicAuth()
		if r.Header.Get("Authorization") != "Bearer token" && password != "secret" {
			return struct{}{}, contract.Errorf(contract.Unauthenticated, "who are you?")
		}
		return struct{}{}, nil
	}
	rooms, err := room.NewServer(benchOptions(io.Discard), def)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(rooms)
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes that fail here
	web.StartTLS()
	t.Cleanup(func() {
		if err := rooms.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	url := web.URL + "/bench/load"
	rep := measure(t, short("calls", "-connections", "2", "-insecure", "-header", "Authorization: Bearer token", url)...)
	consistent(t, "calls", rep.Calls)
	secret := strings.Replace(url, "https://", "wss://ada:secret@", 1)
	rep = measure(t, short("churn", "-connections", "2", "-insecure", secret)...)
	consistent(t, "sessions", rep.Sessions)
	if rep.URL != strings.Replace(url, "https", "wss", 1) {
		t.Errorf("the URL is told as %s", rep.URL)
	}
	for want, args := range map[string][]string{
		"-insecure takes any certificate":       {url},
		"status 401: who are you?; credentials": {"-insecure", url},
	} {
		if code, _, stderr := socka(t, short("calls", args...)...); code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, want %q\n%s", args, code, want, stderr)
		}
	}
}

// Pushes without the number that was asked for are counted, and have no latency.
func TestPushesWithoutNumber(t *testing.T) {
	url := serve(t, benchOptions(io.Discard), -1)
	rep := measure(t, short("broadcast", "-connections", "3", "-number", "when", url)...)
	consistent(t, "pushes", rep.Pushes)
	if rep.Pushes.Latency != nil {
		t.Errorf("pushes without a number have the latency %+v", rep.Pushes.Latency)
	}
}

func TestProgress(t *testing.T) {
	var lines []string
	p := newProgress(writerFunc(func(s string) { lines = append(lines, s) }))
	p.tell("soon")
	p.clear()
	if len(lines) != 0 {
		t.Errorf("without a terminal, nothing is told at once: %q", lines)
	}
	p.last = p.last.Add(-quietTime)
	p.tell("now")
	p.terminal = true
	p.tell("a long line")
	p.tell("short")
	p.clear()
	p.clear()
	want := []string{"now\n", "\ra long line", "\rshort      ", "\r     \r"}
	if strings.Join(lines, "|") != strings.Join(want, "|") {
		t.Errorf("told %q, want %q", lines, want)
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if newProgress(file).terminal {
		t.Error("a file counts as a terminal")
	}
}

// Every flag reaches the configuration.
func TestFlags(t *testing.T) {
	url := "ws://localhost:1/bench/load"
	args := []string{"-rooms", "7", url, "-connections", "6", "-publishers", "5", "-depth", "4", "-rate", "3.5", "-call", "c", "-body", `{"b":{n}}`, "-push", "p",
		"-number", "b", "-duration", "2s", "-warmup", "3s", "-wire", "msgpack", "-header", "A: b", "-header", "a:c", "-insecure", "-pid", "9", "-json", "j", "-quiet"}
	cfg, out, err := benchFlags(load.Rooms, args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := load.Config{Scenario: load.Rooms, URL: url, Header: http.Header{"A": {"b", "c"}}, Wire: wire.Msgpack, Insecure: true,
		Rooms: 7, Connections: 6, Publishers: 5, Depth: 4, Rate: 3.5, Call: "c", Body: `{"b":{n}}`, Push: "p", Number: "b",
		Warmup: 3 * time.Second, Duration: 2 * time.Second, Drain: drainTime, Timeout: connectTime, PID: 9}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got %+v, want %+v", cfg, want)
	}
	if out != (output{json: "j", quiet: true}) {
		t.Errorf("output %+v", out)
	}
	cfg, _, err = benchFlags(load.Calls, []string{"-size", "3", url}, io.Discard)
	if err != nil || cfg.Body != `{"text":"xxx"}` {
		t.Errorf("-size 3 gives the body %s, %v", cfg.Body, err)
	}
}
