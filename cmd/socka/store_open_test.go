package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// The commands on real stores, as users run them.
func TestStoreOnRealStores(t *testing.T) {
	sqlite := func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "rooms.db") }
	postgres := func(t *testing.T) string { return postgrestest.Shared(t).Database(t) }
	for name, urls := range map[string][2]func(*testing.T) string{
		"FromFileToFile":     {sqlite, sqlite},
		"FromFileToDatabase": {sqlite, postgres},
		"FromDatabaseToFile": {postgres, sqlite},
	} {
		t.Run(name, func(t *testing.T) { storeCommandsOn(t, urls[0](t), urls[1](t)) })
	}
}

func storeCommandsOn(t *testing.T, a, b string) {
	s, err := openStore(t.Context(), a, openOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o, err := s.Join(t.Context(), store.Owner{Addr: "10.0.0.1:3450"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		k := key("chat", fmt.Sprint("room", i))
		r, err := s.Acquire(t.Context(), o.ID, k)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Save(t.Context(), []store.Batch{{
			Key: k, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: state("{}")["state"]}},
			Append: []store.Append{{Log: "pushes", Record: store.Record{Seq: 1, Data: []byte("x")}}},
			Wake:   time.Date(2030, 1, 2, 3, 4, 5, 678000, time.UTC), Linger: time.Minute, Then: store.Release,
		}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	// The server runs, with room0.
	if _, err := s.Acquire(t.Context(), o.ID, key("chat", "room0")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rooms.jsonl")
	for _, c := range []struct {
		line []string
		code int
		says string
	}{
		{[]string{"list", a}, 0, "live, 10.0.0.1:3450"},
		{[]string{"export", "-o", file, a}, 0, "exported 3 rooms"},
		{[]string{"import", b, file}, 0, "imported 3 rooms"},
		{[]string{"import", b, file}, 0, "3 there already with the same contents"},
		{[]string{"delete", "-yes", "-kind", "chat", "-all", a}, exitFailed, "chat/room0: held by 10.0.0.1:3450"},
		{[]string{"list", a}, 0, "1 room, "},
		{[]string{"show", b, "chat/room2"}, 0, `"base64": "eA=="`},
		{[]string{"show", b, "chat/room2"}, 0, `"wake": "2030-01-02T03:04:05.000678Z"`},
		{[]string{"list", b}, 0, "3 rooms, "},
	} {
		code, stdout, stderr := socka(t, append([]string{"store"}, c.line...)...)
		wants(t, c.line[0], code, c.code, stdout+stderr, c.says)
	}
	if code, stdout, stderr := socka(t, "store", "owners", b); code != 0 || strings.Count(stdout, "\n") != 1 {
		t.Errorf("owners are left behind, exit code %d:\n%s%s", code, stdout, stderr)
	}
}

func TestStoreFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rooms.db")
	for _, command := range []string{"list", "owners", "export", "import -dry-run store_open_test.go"} {
		code, _, stderr := socka(t, append([]string{"store", strings.Fields(command)[0], "sqlite:" + path}, strings.Fields(command)[1:]...)...)
		wants(t, command, code, exitFailed, stderr, "there is no file "+path)
		if _, err := os.Stat(path); err == nil {
			t.Fatalf("%s has made it", command)
		}
	}
	code, _, stderr := socka(t, "store", "list", "-schema", "x", "sqlite:"+path)
	wants(t, "a schema", code, exitUsage, stderr, "-schema is for Postgres")
}

func TestStoreURLs(t *testing.T) {
	for address, says := range map[string]string{
		"rooms.db":          `"rooms.db" is no URL of a store: use sqlite:PATH or postgres://`,
		"./a:b.db":          `is no URL of a store`,
		"mysql://u:p@h/d":   `there is no store of the sort "mysql"`,
		"":                  `"" is no URL of a store`,
		"redis://localhost": `there is no store of the sort "redis"`,
	} {
		code, _, stderr := socka(t, "store", "list", address)
		wants(t, address, code, exitUsage, stderr, says, "; run socka store -h for help")
	}
}

// No password is ever printed, whoever quotes it.
func TestStoreHidesPasswords(t *testing.T) {
	for _, address := range []string{
		"postgres://ada:s3cr%C3%A9t!@127.0.0.1:1/db?connect_timeout=1",
		"postgres://ada@127.0.0.1:1/db?connect_timeout=1&password=s3cr%C3%A9t!",
		"postgres://ada:s3cr%zz@127.0.0.1:1/db", // no URL
		"postgres://ada:s3cr@t@127.0.0.1:port/db",
		"mysql://ada:s3cr@h/db",
		"ada:s3cr@h/db",
	} {
		code, stdout, stderr := socka(t, "store", "list", address)
		if code == 0 || strings.Contains(stdout+stderr, "s3cr") {
			t.Errorf("%s: exit code %d: %s%s", address, code, stdout, stderr)
		}
		code, stdout, stderr = socka(t, "store", "list", "sqlite:none", address)
		if code == 0 || strings.Contains(stdout+stderr, "s3cr") {
			t.Errorf("%s as an argument too many: exit code %d: %s%s", address, code, stdout, stderr)
		}
	}
	quoting := errors.New(`cannot reach postgres://ada:s3cr%C3%A9t%21@h/db as "s3crét!"`)
	err := withoutSecrets(fmt.Errorf("opening: %w", quoting), []string{"list", "postgres://ada:s3cr%C3%A9t%21@h/db"})
	if err.Error() != `opening: cannot reach postgres://ada:xxxxx@h/db as "xxxxx"` || !errors.Is(err, quoting) {
		t.Errorf("it says %v", err)
	}
	if withoutSecrets(nil, []string{"postgres://a:bbbbb@h"}) != nil || withoutSecrets(quoting, []string{"postgres://h"}) != quoting {
		t.Error("errors without a secret are changed")
	}
}
