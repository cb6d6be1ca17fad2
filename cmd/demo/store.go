package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/sqlite"
)

// checkStore refuses what -store cannot mean, before anything is opened. It quotes no more than the scheme, as a URL may have
// a password in it.
func checkStore(address string) error {
	scheme, rest := cutScheme(address)
	switch {
	case address == "":
		return fmt.Errorf("it is empty: give a path such as rooms.db; without -store rooms are in memory")
	case scheme == "sqlite" && rest == "":
		return fmt.Errorf("sqlite: needs a path, as in sqlite:rooms.db")
	case scheme == "", scheme == "sqlite", scheme == "postgres", scheme == "postgresql":
		return nil
	}
	return fmt.Errorf("there is no store of the sort %q: give a path, sqlite:PATH or postgres://USER@HOST:PORT/DATABASE", scheme)
}

// cutScheme splits a URL after its scheme, which is "" for a path, also for one with a drive.
func cutScheme(address string) (scheme, rest string) {
	scheme, rest, ok := strings.Cut(address, ":")
	if !ok || len(scheme) < 2 || strings.ContainsAny(scheme, `/\.`) {
		return "", address
	}
	return scheme, rest
}

// openStore opens what -store says; nil for memory. Whoever gets it closes it.
func openStore(ctx context.Context, address string, log *slog.Logger) (store.Store, error) {
	if address == "" {
		return nil, nil
	}
	scheme, path := cutScheme(address)
	if scheme == "postgres" || scheme == "postgresql" {
		s, err := postgres.Open(ctx, address, &postgres.Options{Logger: log})
		if err != nil {
			return nil, fmt.Errorf("-store: %w", err)
		}
		return s, nil
	}
	s, err := sqlite.Open(strings.TrimPrefix(path, "//"), nil)
	if err != nil {
		return nil, fmt.Errorf("-store: %w", err)
	}
	return s, nil
}
