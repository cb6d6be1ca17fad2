package persist

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/sqlite"
)

// Open opens a store by its address: "memory", "sqlite:PATH", or a URL that begins with postgres. "" is none, so that the
// server takes its own memory.
func Open(ctx context.Context, address string) (store.Store, error) {
	kind, path, _ := strings.Cut(address, ":")
	switch kind {
	case "":
		return nil, nil
	case "memory":
		return store.NewMemory(), nil
	case "sqlite":
		return sqlite.Open(path, nil)
	case "postgres":
		return postgres.Open(ctx, address, &postgres.Options{Logger: slog.New(slog.DiscardHandler)})
	}
	return nil, fmt.Errorf("%q is no store: want memory, sqlite:PATH or postgres://…", address)
}

// Commits is how many transactions have changed an SQLite database in WAL mode since its log's index was made, modulo 2^32:
// the field iChange of the header of the index, which every transaction increments. The database must be open.
func Commits(path string) (uint32, error) {
	f, err := os.Open(path + "-shm")
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	var head [12]byte
	switch _, err := io.ReadFull(f, head[:]); err {
	case nil:
	case io.EOF: // nobody has read or written yet
	default:
		return 0, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return binary.NativeEndian.Uint32(head[8:]), nil
}
