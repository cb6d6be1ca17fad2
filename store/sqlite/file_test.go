package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
)

// folder has the names, permissions and contents of all files in a folder.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = fmt.Sprintf("%v %x", info.Mode(), data)
	}
	return files
}

// foreign makes a database of another program that has not been closed: part of it is in its write-ahead log.
func foreign(t *testing.T, path, sql string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := openConn(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.db.Exec(sql + `; PRAGMA journal_mode = WAL; CREATE TABLE late (x)`); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		path string // instead of the one made
		want string
	}{
		{name: "nothing", path: " ", want: "store.NewMemory"},
		{name: "memory", path: ":memory:", want: "store.NewMemory"},
		{name: "a URI of memory", path: "file::memory:?cache=shared", want: "store.NewMemory"},
		{name: "a URI", path: "file:rooms.db", want: "give the path"},
		{name: "a text", make: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("this is my diary. ", 1000)), 0o644); err != nil {
				t.Fatal(err)
			}
		}, want: "is not an SQLite database; it is left as it is"},
		{name: "a short text", make: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("SQLite format 3\x00"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, want: "is not an SQLite database; it is left as it is"},
		{name: "a foreign database", make: func(t *testing.T, path string) {
			foreign(t, path, `CREATE TABLE rooms (id)`)
		}, want: "is a database of another program (its application id is 0"},
		{name: "a marked foreign database", make: func(t *testing.T, path string) {
			foreign(t, path, `PRAGMA application_id = 42; CREATE TABLE rooms (id)`)
		}, want: "its application id is 42"},
		{name: "a newer schema", make: func(t *testing.T, path string) {
			s, err := Open(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			execTest(t, s, `UPDATE meta SET value = 99 WHERE key = 'schema'`)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			os.Remove(path + ownersSuffix)
		}, want: "its schema is 99, this one knows them up to 1; update the program"},
		{name: "half a database", make: func(t *testing.T, path string) {
			s, err := Open(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			execTest(t, s, `DELETE FROM meta WHERE key = 'schema'`)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			os.Remove(path + ownersSuffix)
		}, want: "put a backup in its place"},
		{name: "a folder", make: func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, want: "is no file but a folder"},
		{name: "no folder", path: "is/not/there/rooms.db", want: "make it first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			path := filepath.Join(dir, "rooms.db")
			var before map[string]string
			if c.make != nil {
				c.make(t, path)
			} else {
				path = strings.TrimSpace(c.path)
			}
			if c.name != "a folder" {
				before = folder(t, dir)
			}
			s, err := Open(path, nil)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "store/sqlite: ") {
				t.Errorf("error %q, want it to say %q", err, c.want)
			}
			if before == nil {
				return
			}
			after := folder(t, dir)
			for name, was := range before {
				if after[name] != was {
					t.Errorf("%s was changed", name)
				}
			}
			if len(after) != len(before) {
				t.Errorf("there are %d files, %d before", len(after), len(before))
			}
		})
	}
}

// Of many that open a new file at once one makes the schema, and all have it.
func TestOpenAtOnce(t *testing.T) {
	path := newPath(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := Open(path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			o, err := s.Join(t.Context(), store.Owner{}, time.Hour)
			if err := errors.Join(err, s.Leave(t.Context(), o.ID), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Files that are made are for their user alone; those beside one that was there have its permissions, whatever the umask.
func TestPermissions(t *testing.T) {
	for _, perm := range []fs.FileMode{0, 0o600, 0o640, 0o660} {
		t.Run(perm.String(), func(t *testing.T) {
			path := newPath(t)
			want := perm
			if perm == 0 {
				want = 0o600
			} else if err := errors.Join(os.WriteFile(path, nil, perm), os.Chmod(path, perm)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				s, err := Open(path, nil)
				if err != nil {
					t.Fatal(err)
				}
				joinAndLeave(t, s)
				for _, suffix := range []string{"", "-wal", shmSuffix, ownersSuffix} {
					info, err := os.Stat(path + suffix)
					if errors.Is(err, fs.ErrNotExist) && suffix == ownersSuffix && s.locks == nil {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					if info.Mode().Perm() != want {
						t.Errorf("%s has %v, want %v", filepath.Base(path+suffix), info.Mode().Perm(), want)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func joinAndLeave(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Leave(t.Context(), joinTest(t, s)); err != nil {
		t.Fatal(err)
	}
}

// A link is the file it means.
func TestSymlink(t *testing.T) {
	path := newPath(t)
	clock := new(testClock)
	s := openTest(t, path, clock)
	o := joinTest(t, s)
	acquireTest(t, s, o, "one")
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	other := openTest(t, link, clock)
	taker := joinTest(t, other)
	wantHeld(t, other, taker, "one")
	if files := folder(t, filepath.Dir(link)); len(files) != 1 {
		t.Errorf("%d files beside the link, want none", len(files)-1)
	}
}

// A folder or a file that cannot be written is said to be so.
func TestNotWritable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everything")
	}
	for _, name := range []string{"new file", "folder", "file"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "rooms.db")
			if name != "new file" {
				s, err := Open(path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				os.Remove(path + ownersSuffix)
			}
			target, perm := dir, fs.FileMode(0o500)
			if name == "file" {
				target, perm = path, 0o400
			}
			if err := os.Chmod(target, perm); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(dir, 0o700) })
			s, err := Open(path, nil)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), "writable") {
				t.Errorf("error %q, want it to say what has to be writable", err)
			}
		})
	}
}

// A schema that is not up to date is brought there, once.
func TestMigration(t *testing.T) {
	path := newPath(t)
	s, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	batches := fill(t, s, joinTest(t, s), 3)
	save(t, s, batches)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := append(migrations[:len(migrations):len(migrations)], `ALTER TABLE rooms ADD COLUMN colour TEXT; UPDATE rooms SET colour = 'red'`)
	for range 2 {
		c, err := openConn(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.setUp(next); err != nil {
			t.Fatal(err)
		}
		if version, err := c.version(len(next)); err != nil || version != len(next) {
			t.Errorf("version %d (%v), want %d", version, err, len(next))
		}
		if err := errors.Join(c.db.Exec(`UPDATE rooms SET colour = 'blue' WHERE colour = 'red'`), c.close()); err != nil {
			t.Fatal(err)
		}
	}
	// One that fails leaves the schema that was there.
	c, err := openConn(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	broken := append(next, `ALTER TABLE rooms ADD COLUMN sound TEXT; UPDATE nothing SET x = 1`)
	if err := c.setUp(broken); err == nil || !strings.Contains(err.Error(), "making schema 3") {
		t.Errorf("a migration that fails: %v", err)
	}
	if version, err := c.version(len(broken)); err != nil || version != len(next) {
		t.Errorf("after a migration that failed: version %d (%v), want %d", version, err, len(next))
	}
	if err := c.db.Exec(`UPDATE rooms SET sound = 'loud'`); err == nil {
		t.Error("half of a migration that failed is there")
	}
}

func TestRelaxed(t *testing.T) {
	for _, c := range []struct {
		opts *Options
		want int64
	}{{nil, 2}, {new(Options), 2}, {&Options{Relaxed: true}, 1}} {
		s, err := Open(newPath(t), c.opts)
		if err != nil {
			t.Fatal(err)
		}
		joinAndLeave(t, s)
		var got int64
		err = s.write.one(t.Context(), func(c *conn) (error, error) {
			stmt, _, err := c.db.Prepare(`PRAGMA synchronous`)
			if err != nil {
				return nil, err
			}
			defer stmt.Close()
			if stmt.Step() {
				got = stmt.ColumnInt64(0)
			}
			return nil, stmt.Err()
		})
		if err != nil || got != c.want {
			t.Errorf("Options %+v: synchronous is %d (%v), want %d", c.opts, got, err, c.want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A damaged file is an error of every call that meets the damage, and no more.
func TestDamaged(t *testing.T) {
	path := newPath(t)
	s, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	batches := fill(t, s, joinTest(t, s), 50)
	for i := range batches {
		batches[i].Put[0].Data = bytes.Repeat([]byte("x"), 5000)
		batches[i].Then = store.Release
	}
	save(t, s, batches)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data[4096:] { // all but the first page
		data[4096+i] = byte(i * i >> 3)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = Open(path, nil)
	if err == nil {
		_, err = s.Load(t.Context(), batches[0].Key)
		for _, other := range []error{s.Save(t.Context(), batches[:1])[0], s.Leave(t.Context(), "x"), s.Renew(t.Context(), "x")} {
			if other == nil {
				t.Error("a call on a damaged file did not fail")
			}
		}
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want it to say that %s is damaged", err, path)
	}
}

// A value that is too long is refused alone, and one that is as long as it may be is kept.
func TestLongValues(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	batches := fill(t, s, o, 3)
	batches[0].Put[0].Data = make([]byte, maxValueBytes+1)
	batches[1].Put[0].Data = make([]byte, maxValueBytes)
	batches[2].Append = []store.Append{{Log: "log", Record: store.Record{Seq: 1, Data: make([]byte, maxValueBytes+1)}}}
	errs := s.Save(t.Context(), batches)
	for i, want := range []string{"at most 67108864 are allowed", "", "at most 67108864 are allowed"} {
		switch {
		case want == "" && errs[i] != nil:
			t.Errorf("batch %d: %v", i, errs[i])
		case want != "" && (errs[i] == nil || !strings.Contains(errs[i].Error(), want)):
			t.Errorf("batch %d: error %v, want it to say %q", i, errs[i], want)
		}
	}
	r, err := s.Load(t.Context(), batches[1].Key)
	if err != nil || len(r.Parts["state"]) != maxValueBytes {
		t.Errorf("a part of %d bytes: %d came back (%v)", maxValueBytes, len(r.Parts["state"]), err)
	}
}
