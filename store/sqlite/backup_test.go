package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gosocka/socka/store"
)

// A backup is made of one moment, while others write: all that was acknowledged before is in it, and of what comes while it
// is made a first part, without holes.
func TestBackup(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	r := acquireTest(t, s, o, "one")
	append := func(seq uint64) error {
		record := store.Append{Log: "log", Record: store.Record{Seq: seq, Data: []byte(fmt.Sprint(seq))}}
		return s.Save(t.Context(), []store.Batch{{Key: r.Key, Epoch: r.Epoch, Append: []store.Append{record}}})[0]
	}
	const before = 100
	for seq := uint64(1); seq <= before; seq++ {
		if err := append(seq); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		for seq := uint64(before + 1); ctx.Err() == nil; seq++ {
			if err := append(seq); err != nil {
				t.Error(err)
				return
			}
		}
	})
	path := filepath.Join(t.TempDir(), "o'backup.db")
	err := s.Backup(t.Context(), path)
	cancel()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if files := folder(t, filepath.Dir(path)); len(files) != 1 || !strings.HasPrefix(files[filepath.Base(path)], "-rw------- ") {
		t.Errorf("%d files are beside the backup, or it is not for its user alone", len(files)-1)
	}
	if err := s.Backup(t.Context(), path); err == nil || !strings.Contains(err.Error(), "use another name") {
		t.Errorf("a backup over another: %v", err)
	}
	b := openTest(t, path, new(testClock))
	got, err := b.Load(t.Context(), r.Key)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Logs["log"]); n < before || got.Logs["log"][n-1].Seq != uint64(n) {
		t.Errorf("the backup has %d records, the last of them %d; want at least %d", n, got.Logs["log"][n-1].Seq, before)
	}
}

// A backup that fails leaves nothing.
func TestBackupFails(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	save(t, s, fill(t, s, joinTest(t, s), 10))
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for path, want := range map[string]error{
		filepath.Join(dir, "canceled.db"):       nil,
		filepath.Join(dir, "no folder", "x.db"): fs.ErrNotExist,
		s.path:                                  nil,
	} {
		ctx := ctx
		if want != nil || path == s.path {
			ctx = t.Context()
		} else {
			want = context.Canceled
		}
		if err := s.Backup(ctx, path); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("Backup to %s: %v, want %v", path, err, want)
		}
	}
	// Interrupted when it has begun to write.
	partial := filepath.Join(dir, "partial")
	if err := os.WriteFile(partial, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.copyTo(ctx, partial); !errors.Is(err, context.Canceled) {
		t.Errorf("a copy that is interrupted: %v", err)
	}
	if files := folder(t, dir); len(files) != 1 {
		t.Errorf("backups that failed left %d files", len(files)-1)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "closed.db")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Backup of a closed store: %v", err)
	}
}

// VACUUM by another program gives space back while the store is in use.
func TestVacuum(t *testing.T) {
	s := openTest(t, newPath(t), new(testClock))
	o := joinTest(t, s)
	batches := fill(t, s, o, 10)
	for i := range batches {
		batches[i].Put[0].Data = make([]byte, 1<<20)
	}
	save(t, s, batches)
	for i := range batches {
		batches[i] = store.Batch{Key: batches[i].Key, Epoch: batches[i].Epoch, Then: store.Remove}
	}
	save(t, s, batches)
	r := acquireTest(t, s, o, "one")
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		for ctx.Err() == nil {
			b := store.Batch{Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state", Data: []byte("saved")}}}
			if err := s.Save(t.Context(), []store.Batch{b})[0]; err != nil {
				t.Errorf("Save during VACUUM: %v", err)
				return
			}
		}
	})
	other, err := openConn(s.path)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(retry(func() error { return other.db.Exec(`VACUUM`) }), other.close())
	cancel()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Leave(t.Context(), o), s.Close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.path)
	if err != nil || info.Size() > 1<<20 {
		t.Errorf("the file has %d bytes (%v) after 10 MiB were deleted", info.Size(), err)
	}
}
