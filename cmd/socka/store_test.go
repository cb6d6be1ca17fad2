package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/snapshot"
)

// shop is a storeTool on stores in memory: memory:NAME.
type shop struct {
	t      *testing.T
	stores map[string]*store.Memory
	tool   storeTool
}

func newShop(t *testing.T) *shop {
	s := &shop{t: t, stores: make(map[string]*store.Memory)}
	s.tool.stdin = strings.NewReader("")
	s.tool.open = func(_ context.Context, url string, _ openOptions) (store.Store, error) {
		name, ok := strings.CutPrefix(url, "memory:")
		if !ok {
			return nil, fmt.Errorf("no such store: %s", url)
		}
		return s.memory(name).Open(), nil
	}
	return s
}

func (s *shop) memory(name string) *store.Memory {
	m := s.stores[name]
	if m == nil {
		m = store.NewMemory()
		s.stores[name] = m
	}
	return m
}

// run runs a command line behind "socka store".
func (s *shop) run(args ...string) (code int, stdout, stderr string) {
	return s.runIn(s.t.Context(), args...)
}

func (s *shop) runIn(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	err := s.tool.run(ctx, args, &out, &errs)
	if err != nil {
		fmt.Fprintln(&errs, "socka:", err)
	}
	return exitCode(err), out.String(), errs.String()
}

// put makes a room as a server that has gone.
func (s *shop) put(in string, k store.Key, parts map[string][]byte) {
	s.t.Helper()
	o := s.join(in, "gone")
	s.hold(in, o, k, parts)
	if err := s.memory(in).Leave(s.t.Context(), o.ID); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) join(in, addr string) store.Owner {
	s.t.Helper()
	o, err := s.memory(in).Join(s.t.Context(), store.Owner{Addr: addr, Props: map[string]string{"version": "1", "drains": "no"}}, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *shop) hold(in string, o store.Owner, k store.Key, parts map[string][]byte) {
	s.t.Helper()
	m := s.memory(in)
	r, err := m.Acquire(s.t.Context(), o.ID, k)
	if err != nil {
		s.t.Fatal(err)
	}
	b := store.Batch{Key: k, Epoch: r.Epoch, Wake: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}
	for name, data := range parts {
		b.Put = append(b.Put, store.Part{Name: name, Data: data})
	}
	if err := m.Save(s.t.Context(), []store.Batch{b})[0]; err != nil {
		s.t.Fatal(err)
	}
}

func state(text string) map[string][]byte {
	return map[string][]byte{"state": snapshot.Append(nil, snapshot.Header{Kind: "state"}, []byte(text))}
}

func key(kind, name string) store.Key { return store.Key{Kind: kind, Name: name} }

// wants asserts an exit code and what the outputs say.
func wants(t *testing.T, what string, code, wantCode int, text string, says ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("%s: exit code %d, want %d\n%s", what, code, wantCode, text)
	}
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("%s: it does not say %q:\n%s", what, s, text)
		}
	}
}

func TestStoreHelp(t *testing.T) {
	code, stdout, _ := socka(t, "-h")
	wants(t, "socka -h", code, 0, stdout, "store    look into a store of rooms", "socka store list sqlite:rooms.db")
	code, stdout, _ = socka(t, "store", "-h")
	wants(t, "socka store -h", code, 0, stdout, "Usage: socka store COMMAND [flags] URL")
	for name := range storeCommands {
		wants(t, "the help", 0, 0, stdout, "\n  "+name+" ", "socka store "+name+" ")
		code, help, _ := socka(t, "store", name, "-h")
		wants(t, name+" -h", code, 0, help, "Usage: socka store "+name+" [flags] URL", "-schema name")
	}
}

func TestStoreCommandLines(t *testing.T) {
	s := newShop(t)
	for _, c := range []struct {
		line string
		says string
	}{
		{"", "a command is missing"},
		{"lst", `there is no command "lst"`},
		{"list", "the URL of the store is missing"},
		{"list -limit -1 memory:a", "-limit -1: use 1 or more"},
		{"list -limit x memory:a", "invalid value"},
		{"list memory:a chat/one", `unexpected argument "chat/one"`},
		{"list -after chat memory:a", `"chat" is no name of a room`},
		{"show memory:a", "0 rooms are given"},
		{"show memory:a chat/one chat/two", "2 rooms are given"},
		{"show memory:a lobby", `"lobby" is no name of a room: it is KIND/NAME`},
		{"show memory:a /lobby", "the name of the kind is empty"},
		{"show memory:a chat/" + strings.Repeat("x", 256), "256 bytes"},
		{"export memory:a file", `unexpected argument "file"`},
		{"import memory:a one two", "2 files are given"},
		{"delete memory:a", "no room is named"},
		{"delete memory:a chat/one", "nobody can be asked"},
		{"delete -yes memory:a -all", "-kind and -all go together"},
		{"delete -yes memory:a -kind chat", "-kind and -all go together"},
		{"delete -yes memory:a -kind chat -all chat/one", "use one of the two"},
		{"owners -bad memory:a", "flag provided but not defined: -bad"},
	} {
		code, stdout, stderr := s.run(strings.Fields(c.line)...)
		wants(t, "socka store "+c.line, code, exitUsage, stderr, c.says, "; run socka store ", " -h for help")
		if stdout != "" {
			t.Errorf("%s prints %q", c.line, stdout)
		}
	}
	s.tool.terminal = true
	code, _, stderr := s.run("import", "memory:a")
	wants(t, "import from a terminal", code, exitUsage, stderr, "the file is missing, and standard input is a terminal")
	if len(s.stores) != 0 {
		t.Errorf("stores were opened: %v", s.stores)
	}
}

func TestStoreList(t *testing.T) {
	s := newShop(t)
	for i := range 5 {
		s.put("a", key("chat", fmt.Sprint("room", i)), state("{}"))
	}
	s.put("a", key("game", "with space\x1b[31m"), state("{}"))
	s.hold("a", s.join("a", "10.0.0.1:3450"), key("chat", "runs"), state("{}"))

	code, stdout, stderr := s.run("list", "memory:a")
	wants(t, "list", code, 0, stdout, "KIND", "chat  room0 ", "live, 10.0.0.1:3450  2026-05-06 07:08:09", `game  "with space\x1b[31m"`, "7 rooms, 273 B\n")
	if stderr != "" || strings.Count(stdout, "\n") != 9 || strings.Contains(stdout, "\x1b") {
		t.Errorf("list prints %q and %q", stdout, stderr)
	}

	code, stdout, _ = s.run("list", "-kind", "chat", "memory:a", "-limit", "2")
	wants(t, "a page", code, 0, stdout, "room1", "2 rooms, 78 B; there are more: add -after chat/room1\n")
	code, stdout, _ = s.run("list", "-kind", "chat", "-after", "chat/room1", "-limit", "4", "memory:a")
	wants(t, "the last page", code, 0, stdout, "room2", "runs", "4 rooms, 156 B\n")
	if strings.Contains(stdout, "room1") || strings.Contains(stdout, "there are more") {
		t.Errorf("the last page:\n%s", stdout)
	}

	code, stdout, stderr = s.run("list", "-json", "memory:a")
	wants(t, "list -json", code, 0, stderr, "7 rooms")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var got listedRoom
	if len(lines) != 7 || json.Unmarshal([]byte(lines[5]), &got) != nil || got.Name != "runs" || !got.Live || got.Addr != "10.0.0.1:3450" || got.Epoch == 0 || got.Wake.IsZero() {
		t.Errorf("list -json prints\n%s\nthe sixth is %+v", stdout, got)
	}

	code, stdout, _ = s.run("list", "memory:empty")
	wants(t, "an empty store", code, 0, stdout, "0 rooms")
}

func TestStoreListSaysWhoseLeaseHasEnded(t *testing.T) {
	live := map[store.OwnerID]store.Owner{"a": {Addr: "here"}, "b": {}}
	for id, want := range map[store.OwnerID]string{"": "-", "a": "live, here", "b": `live, ""`, "c": "lapsed"} {
		if got := ownerOf(id, live); got != want {
			t.Errorf("owner %q is shown as %s, want %s", id, got, want)
		}
	}
}

func TestStoreOwners(t *testing.T) {
	s := newShop(t)
	o := s.join("a", "10.0.0.1:3450")
	code, stdout, _ := s.run("owners", "memory:a")
	wants(t, "owners", code, 0, stdout, "ID ", string(o.ID)+"  10.0.0.1:3450  "+at(o.Joined)+"  "+at(o.Expires), "drains=no version=1")
	code, stdout, _ = s.run("owners", "-json", "memory:a")
	var got listedOwner
	if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil || got.ID != o.ID || got.Props["version"] != "1" || got.Expires.IsZero() {
		t.Errorf("owners -json: exit code %d, %s, error %v", code, stdout, err)
	}
}

func TestStoreShow(t *testing.T) {
	s := newShop(t)
	s.put("a", key("chat", "lobby/2"), state(`{"rows":[1,2]}`))
	code, stdout, stderr := s.run("show", "memory:a", "chat/lobby/2")
	var got struct {
		Name  string
		Parts map[string]struct{ Value struct{ Rows []int } }
	}
	if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil || got.Name != "lobby/2" || len(got.Parts["state"].Value.Rows) != 2 {
		t.Errorf("exit code %d, error %v\n%s%s", code, err, stdout, stderr)
	}
	code, stdout, stderr = s.run("show", "memory:a", "chat/nowhere")
	wants(t, "a room that is not there", code, exitFailed, stderr, "chat/nowhere")
	if stdout != "" {
		t.Errorf("it prints %s", stdout)
	}
}

func TestStoreExportAndImport(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"1", "2", "3"} {
		s.put("a", key("chat", name), state(`{"n":`+name+`}`))
	}
	s.put("a", key("game", "1"), state("{}"))
	path := filepath.Join(t.TempDir(), "rooms.jsonl")
	code, stdout, stderr := s.run("export", "-o", path, "memory:a")
	wants(t, "export", code, 0, stderr, "exported 4 rooms, ")
	if stdout != "" {
		t.Errorf("export -o prints %q", stdout)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, error %v", info.Mode(), err)
	}
	code, _, stderr = s.run("export", "-o", path, "memory:a")
	wants(t, "export again", code, exitFailed, stderr, "is there already: delete it, or choose another name")
	code, stdout, _ = s.run("export", "-quiet", "memory:a")
	file, err := os.ReadFile(path)
	if err != nil || code != 0 || withoutFirstLine(stdout) != withoutFirstLine(string(file)) {
		t.Errorf("to standard output, exit code %d:\n%s\nto a file, error %v:\n%s", code, stdout, err, file)
	}

	code, stdout, stderr = s.run("import", "-dry-run", "memory:b", path)
	wants(t, "a dry run", code, 0, stdout+stderr, "would import 4 rooms, ")
	code, stdout, _ = s.run("list", "memory:b")
	wants(t, "after the dry run", code, 0, stdout, "0 rooms")
	s.tool.stdin = bytes.NewReader(file)
	code, stdout, stderr = s.run("import", "-kind", "chat", "memory:b")
	wants(t, "import", code, 0, stdout, "imported 3 rooms, ", "; 1 of other kinds\n")
	if stderr != "" {
		t.Errorf("import says %q", stderr)
	}
	s.tool.stdin = bytes.NewReader(file)
	code, stdout, _ = s.run("import", "memory:b", "-")
	wants(t, "import again", code, 0, stdout, "imported 1 room, ", "; 3 there already with the same contents\n")

	s.put("b", key("chat", "2"), state("{}"))
	s.hold("b", s.join("b", "10.0.0.1:3450"), key("chat", "3"), state("{}"))
	code, stdout, stderr = s.run("import", "memory:b", path)
	wants(t, "over others", code, exitFailed, stdout+stderr, "chat/2: is there already, with other contents\n", "chat/3: is there already",
		"imported 0 rooms, 0 B; 2 there already with the same contents; 2 there already with other contents, left alone\n",
		"not everything in the file is in the store: 2 left out, see above; -replace overwrites")
	code, stdout, stderr = s.run("import", "-replace", "memory:b", path)
	wants(t, "with -replace", code, exitFailed, stdout+stderr, "chat/3: held by 10.0.0.1:3450", "imported 1 room, ", "1 run by a server, left alone\n")
	_, stdout, _ = s.run("show", "memory:b", "chat/2")
	wants(t, "what was replaced", 0, 0, stdout, `"n": 2`)

	code, _, stderr = s.run("import", "memory:b", filepath.Join(t.TempDir(), "none"))
	wants(t, "no file", code, exitFailed, stderr, "no such file")
	s.tool.stdin = strings.NewReader("{}\n")
	code, _, stderr = s.run("import", "memory:b", "-")
	wants(t, "another file", code, exitFailed, stderr, "this is no file of rooms")
	s.tool.stdin = bytes.NewReader(file[:len(file)-25])
	code, stdout, stderr = s.run("import", "memory:c")
	wants(t, "a file that is cut off", code, exitFailed, stdout+stderr, "imported 3 rooms", "1 damaged, left out", "the file is not whole")
}

func withoutFirstLine(s string) string {
	_, rest, _ := strings.Cut(s, "\n")
	return rest
}

func TestStoreImportSaysNotMoreThanCanBeRead(t *testing.T) {
	s := newShop(t)
	for i := range maxLeft + 3 {
		s.put("a", key("chat", fmt.Sprint(i)), state("{}"))
		s.put("b", key("chat", fmt.Sprint(i)), state("[]"))
	}
	_, stdout, _ := s.run("export", "memory:a")
	s.tool.stdin = strings.NewReader(stdout)
	code, _, stderr := s.run("import", "memory:b")
	wants(t, "import", code, exitFailed, stderr, "\nand 3 more\n")
	if n := strings.Count(stderr, "other contents"); n != maxLeft {
		t.Errorf("%d rooms are named", n)
	}
}

func TestStoreDelete(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"1", "2", "3", "4"} {
		s.put("a", key("chat", name), state("{}"))
	}
	s.put("a", key("game", "1"), state("{}"))
	names := func() string {
		_, stdout, _ := s.run("list", "-json", "memory:a")
		var list []string
		for line := range strings.Lines(stdout) {
			var r listedRoom
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			list = append(list, r.Kind+"/"+r.Name)
		}
		return strings.Join(list, " ")
	}
	code, stdout, _ := s.run("delete", "-yes", "memory:a", "chat/1", "chat/1")
	wants(t, "delete", code, 0, stdout, "deleted 1 of 1\n")

	s.tool.terminal = true
	s.tool.stdin = strings.NewReader("no\n")
	code, _, stderr := s.run("delete", "memory:a", "chat/2")
	wants(t, "the answer no", code, exitFailed, stderr, "Delete room chat/2? This cannot be undone. Type yes: ", "nothing was deleted")
	s.tool.stdin = strings.NewReader("")
	code, _, stderr = s.run("delete", "memory:a", "-kind", "chat", "-all")
	wants(t, "no answer", code, exitFailed, stderr, "Delete all 3 rooms, 117 B of kind chat? ", "nothing was deleted")
	if got := names(); got != "chat/2 chat/3 chat/4 game/1" {
		t.Errorf("rooms: %s", got)
	}
	s.tool.stdin = strings.NewReader(" Yes \n")
	code, stdout, _ = s.run("delete", "memory:a", "chat/2", "chat/3")
	wants(t, "the answer yes", code, 0, stdout, "deleted 2 of 2\n")

	s.hold("a", s.join("a", "10.0.0.1:3450"), key("chat", "runs"), state("{}"))
	code, stdout, stderr = s.run("delete", "-yes", "-kind", "chat", "-all", "memory:a")
	wants(t, "one that runs", code, exitFailed, stdout+stderr, "chat/runs: held by 10.0.0.1:3450", "deleted 1 of 2\n", "1 not deleted, see above")
	code, _, stderr = s.run("delete", "-yes", "memory:a", "chat/nowhere")
	wants(t, "one that is not there", code, exitFailed, stderr, "chat/nowhere: is not there")
	code, _, stderr = s.run("delete", "-yes", "-kind", "none", "-all", "memory:a")
	wants(t, "no rooms", code, exitFailed, stderr, "there are no rooms of kind none")
	if got := names(); got != "chat/runs game/1" {
		t.Errorf("rooms: %s", got)
	}
}

// A signal ends a command in good order.
func TestStoreInterrupted(t *testing.T) {
	s := newShop(t)
	s.put("a", key("chat", "1"), state("{}"))
	_, file, _ := s.run("export", "memory:a")
	for _, line := range []string{"list memory:a", "show memory:a chat/1", "export memory:a", "delete -yes memory:a chat/1", "owners memory:a", "import memory:b -"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.tool.stdin = strings.NewReader(file)
		code, _, stderr := s.runIn(ctx, strings.Fields(line)...)
		wants(t, line, code, exitInterrupted, stderr, "socka: interrupted\n")
	}

	// While it waits for an answer.
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	s.tool.terminal, s.tool.stdin = true, &cancelling{r, cancel}
	code, _, stderr := s.runIn(ctx, "delete", "memory:a", "chat/1")
	wants(t, "waiting for an answer", code, exitInterrupted, stderr, "Type yes: \n", "socka: interrupted\n")
	if _, err := s.memory("a").Load(t.Context(), key("chat", "1")); err != nil {
		t.Error(err)
	}

	// While it waits for the file.
	ctx, cancel = context.WithCancel(t.Context())
	s.tool.terminal, s.tool.stdin = false, io.MultiReader(strings.NewReader(file[:len(file)-20]), &cancelling{r, cancel})
	code, stdout, stderr := s.runIn(ctx, "import", "memory:b")
	wants(t, "waiting for the file", code, exitInterrupted, stdout+stderr, "imported 1 room, ", "socka: interrupted\n")

	if err := interrupted(ctx, errors.New("the disk is full")); !errors.Is(err, errInterrupted) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("another error at the same time: %v", err)
	}
}

// cancelling sends a signal when it is read from.
type cancelling struct {
	io.Reader
	cancel func()
}

func (c *cancelling) Read(p []byte) (int, error) {
	c.cancel()
	return c.Reader.Read(p)
}
