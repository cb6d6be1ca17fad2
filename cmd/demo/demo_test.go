package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/examples/chat"
	"github.com/gosocka/socka/examples/tictactoe"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "socka-demo")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "demo.exe")
		if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// process is a demo that runs.
type process struct {
	*exec.Cmd
	url    string // "http://localhost:1234/"
	stdout *bufio.Reader
	stderr bytes.Buffer // to be read after Wait
}

// start runs a demo on a free port and waits until it says where.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(binary, append([]string{"-addr", "localhost:0"}, args...)...)}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stderr = &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			p.Process.Kill()
			p.Wait()
		}
		if t.Failed() {
			t.Logf("the demo's log:\n%s", &p.stderr)
		}
	})
	p.stdout = bufio.NewReader(out)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("the demo printed no address: %v", err)
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "Socka demo: ")
	if !ok || !strings.HasPrefix(url, "http://localhost:") || !strings.HasSuffix(url, "/") {
		t.Fatalf("the first line is %q", line)
	}
	p.url = url
	return p
}

// stop sends a signal, waits for the end, and returns the exit code, -1 for an end by the signal itself.
func (p *process) stop(t *testing.T, sig os.Signal) int {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, p.stdout)
	p.Wait()
	return p.ProcessState.ExitCode()
}

// connect opens a client of a room at a path such as "ws/chat/lobby?name=Ada".
func (p *process) connect(t *testing.T, path string) *client.Client {
	t.Helper()
	c := client.New(p.url+path, &client.Options{Reconnect: client.ReconnectOptions{Disabled: true}})
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// upgrade makes a WebSocket handshake by hand. The body of a 101 is the socket.
func (p *process) upgrade(t *testing.T, path, origin string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestPage(t *testing.T) {
	p := start(t)
	paths := []string{"", "socka.js"}
	page, _ := fs.Sub(files, "web")
	fs.WalkDir(page, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && name != "index.html" {
			paths = append(paths, name)
		}
		return err
	})
	if len(paths) < 4 {
		t.Fatalf("the page is made of %q only", paths)
	}
	for _, name := range paths {
		resp, body := get(t, p.url+name)
		want := contentTypes[filepath.Ext(name)]
		if resp.StatusCode != 200 || body == "" || want == "" || resp.Header.Get("Content-Type") != want {
			t.Errorf("/%s: status %s, %d bytes of %q, want %q", name, resp.Status, len(body), resp.Header.Get("Content-Type"), want)
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": policy,
		} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("/%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
	if _, body := get(t, p.url); !strings.Contains(body, `src="/app.js"`) {
		t.Error("the page does not load its program")
	}
	if resp, body := get(t, p.url+"healthz"); resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("/healthz: %s %q", resp.Status, body)
	}
	if resp, _ := get(t, p.url+"nothing.js"); resp.StatusCode != 404 {
		t.Errorf("a file that is not there: %s", resp.Status)
	}
	for _, path := range []string{"?kind=chat&room=lobby", "?kind=tictactoe&room=lobby"} {
		for {
			line, err := p.stdout.ReadString('\n')
			if err != nil {
				t.Fatalf("no link %s%s printed", p.url, path)
			}
			if strings.Contains(line, p.url+path) {
				break
			}
		}
	}
}

func TestRooms(t *testing.T) {
	p := start(t)
	ada, bob := p.connect(t, "ws/chat/lobby?name=Ada"), p.connect(t, "ws/chat/lobby?name=Bob&wire=msgpack")
	heard := make(chan chat.Row, 1)
	client.On(bob, chat.RoomMessage, func(row chat.Row) { heard <- row })
	if _, err := client.Call(t.Context(), bob, chat.ListPresence, contract.None{}); err != nil { // now he is in for certain
		t.Fatal(err)
	}
	if _, err := client.Call(t.Context(), ada, chat.SendMessage, chat.SendMessageIn{Text: "hello <b>"}); err != nil {
		t.Fatal(err)
	}
	if row := <-heard; row.Text != "hello <b>" || row.DisplayName != "Ada" {
		t.Errorf("Bob heard %+v", row)
	}

	eve := p.connect(t, "ws/tictactoe/lobby?name=Eve")
	_, err := client.Call(t.Context(), eve, tictactoe.Move, tictactoe.MoveIn{Cell: 0})
	if contract.CodeOf(err) != tictactoe.WaitingForOpponent {
		t.Errorf("a move without an opponent: %v", err)
	}
	if resp := p.upgrade(t, "ws/poker/lobby", ""); resp.StatusCode != 404 {
		t.Errorf("a kind that is not there: %s", resp.Status)
	}
	if resp := p.upgrade(t, "ws/chat/lobby?name=", ""); resp.StatusCode != 400 {
		t.Errorf("a blank name: %s", resp.Status)
	}
}

func TestWire(t *testing.T) {
	const text, binary = 0x81, 0x82 // the first byte of a whole message
	for _, test := range []struct {
		args  []string
		query string
		want  byte
	}{
		{nil, "", text},
		{nil, "?wire=msgpack", binary},
		{[]string{"-wire", "json"}, "", text},
		{[]string{"-wire", "msgpack"}, "", binary},
		{[]string{"-wire", "msgpack"}, "?wire=json", text},
	} {
		p := start(t, test.args...)
		var first [1]byte // of the game, which is pushed to whoever comes in
		if _, err := io.ReadFull(p.upgrade(t, "ws/tictactoe/lobby"+test.query, "").Body, first[:]); err != nil || first[0] != test.want {
			t.Errorf("demo %v, %q: the first frame begins with %#x, want %#x; %v", test.args, test.query, first[0], test.want, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	p := start(t, "-allow-origin", "https://a.example, https://*.b.example", "-allow-origin=https://c.example")
	for origin, want := range map[string]int{
		"":                             101,
		strings.TrimSuffix(p.url, "/"): 101,
		"https://a.example":            101,
		"https://www.b.example":        101,
		"https://c.example":            101,
		"https://d.example":            403,
		"http://a.example":             403,
	} {
		if resp := p.upgrade(t, "ws/chat/lobby", origin); resp.StatusCode != want {
			t.Errorf("origin %q: %s, want %d", origin, resp.Status, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	taken := strings.TrimSuffix(strings.TrimPrefix(start(t).url, "http://"), "/")
	_, port, _ := strings.Cut(taken, ":")
	for _, test := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"-h"}, 0, []string{"-addr", "-allow-origin", "-wire", "-store", "localhost:3450", "default: memory", "Examples:"}},
		{[]string{"-addr", taken}, 1, []string{"port " + port + " is taken", "-addr"}},
		{[]string{"-addr", "here"}, 2, []string{"-addr", "missing port", "demo -h"}},
		{[]string{"-wire", "xml"}, 2, []string{`"xml"`, "json", "msgpack", "demo -h"}},
		{[]string{"-allow-origin", "example.com"}, 2, []string{"-allow-origin", `"example.com"`, "https://", "demo -h"}},
		{[]string{"-store", ""}, 2, []string{"-store", "rooms.db", "demo -h"}},
		{[]string{"-store", "sqlite:"}, 2, []string{"-store", "sqlite:rooms.db", "demo -h"}},
		{[]string{"-store", "mysql://ada:secret@host/rooms"}, 2, []string{"-store", `"mysql"`, "postgres://", "demo -h"}},
		{[]string{"-store", "postgres://ada:secret@127.0.0.1:1/rooms"}, 1, []string{"-store", "127.0.0.1"}},
		{[]string{"-store", t.TempDir() + "/nowhere/rooms.db"}, 1, []string{"-store", "nowhere"}},
		{[]string{"-port", "80"}, 2, []string{"-port", "demo -h"}},
		{[]string{"lobby"}, 2, []string{`"lobby"`, "demo -h"}},
	} {
		cmd := exec.Command(binary, test.args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Run()
		said := stderr.String()
		if test.code == 0 {
			said = stdout.String()
		}
		if code := cmd.ProcessState.ExitCode(); code != test.code {
			t.Errorf("demo %q: exit code %d, want %d; it says %q", test.args, code, test.code, said)
		}
		for _, want := range test.says {
			if !strings.Contains(said, want) {
				t.Errorf("demo %q does not say %q: %q", test.args, want, said)
			}
		}
		if strings.Contains(said, "secret") {
			t.Errorf("demo %q tells the password: %q", test.args, said)
		}
	}
}

func TestSignals(t *testing.T) {
	skipWithoutSignals(t)
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t)
		ada := p.connect(t, "ws/chat/lobby?name=Ada")
		changes, cancel := ada.Changes()
		defer cancel()
		if _, err := client.Call(t.Context(), ada, chat.SendMessage, chat.SendMessageIn{Text: "hello"}); err != nil {
			t.Fatal(err)
		}
		if code := p.stop(t, sig); code != 0 {
			t.Errorf("%v: exit code %d, want 0", sig, code)
		}
		var lost *client.ConnectionError
		if change := <-changes; !errors.As(change.Err, &lost) || lost.Code != 1001 {
			t.Errorf("%v: the client was told %v, want close code 1001", sig, change.Err)
		}
	}
}

// A client that does not answer the close keeps the server waiting; a second signal does not wait for it.
func TestSecondSignal(t *testing.T) {
	skipWithoutSignals(t)
	p := start(t)
	socket := bufio.NewReader(p.upgrade(t, "ws/tictactoe/lobby", "").Body)
	// Whoever comes in is pushed the game, in a frame with 16 bits of length.
	var head [4]byte
	if _, err := io.ReadFull(socket, head[:]); err != nil || head[0] != 0x81 || head[1] != 126 {
		t.Fatalf("the first frame begins with %#x, %v", head, err)
	}
	if _, err := socket.Discard(int(head[2])<<8 | int(head[3])); err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if first, err := socket.ReadByte(); err != nil || first != 0x88 { // a close frame
		t.Fatalf("the stopping server sent %#x, %v", first, err)
	}
	if code := p.stop(t, syscall.SIGINT); code != -1 {
		t.Errorf("exit code %d, want an end by the signal", code)
	}
}

func skipWithoutSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no way to send SIGINT or SIGTERM to one process on Windows")
	}
}
