package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/sqlite"
)

// openOptions say how a store is opened.
type openOptions struct {
	Schema string // of Postgres
	Create bool   // a file that is not there may be made
}

const urlForms = "use sqlite:PATH or postgres://USER@HOST:PORT/DATABASE"

// openStore opens a store by its URL.
func openStore(ctx context.Context, address string, o openOptions) (store.Store, error) {
	scheme, path, ok := strings.Cut(address, ":")
	switch {
	case ok && scheme == "sqlite":
		return openSQLite(strings.TrimPrefix(path, "//"), o)
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		s, err := postgres.Open(ctx, address, &postgres.Options{Schema: o.Schema, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		return s, nil
	case ok && len(scheme) > 1 && !strings.ContainsAny(scheme, `/\.`):
		return nil, &usageError{fmt.Sprintf("there is no store of the sort %q: %s", scheme, urlForms), "socka store -h"}
	}
	return nil, &usageError{fmt.Sprintf("%q is no URL of a store: %s", withoutPasswords(address, address), urlForms), "socka store -h"}
}

func openSQLite(path string, o openOptions) (store.Store, error) {
	if o.Schema != "" {
		return nil, &usageError{"-schema is for Postgres; a file of SQLite has none", "socka store -h"}
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !o.Create {
		return nil, fmt.Errorf("there is no file %s", path)
	}
	s, err := sqlite.Open(path, nil)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// secrets are the passwords in what may be a URL, in all forms in which an error might quote them.
func secrets(address string) []string {
	var list []string
	add := func(s string) {
		if s != "" {
			list = append(list, s, url.QueryEscape(s), url.PathEscape(s), url.UserPassword("", s).String()[1:])
		}
	}
	// What is between the first colon behind the scheme and the last @ may be one, whatever the rest is.
	_, rest, found := strings.Cut(address, "://")
	if !found && !strings.HasPrefix(address, "sqlite:") {
		rest = address
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		_, password, _ := strings.Cut(rest[:at], ":")
		add(password)
	}
	u, err := url.Parse(address)
	if err != nil {
		return list
	}
	if u.User != nil {
		password, _ := u.User.Password()
		add(password)
	}
	for _, name := range []string{"password", "sslpassword"} {
		for _, v := range u.Query()[name] {
			add(v)
		}
		if _, raw, found := strings.Cut(u.RawQuery, name+"="); found {
			raw, _, _ = strings.Cut(raw, "&")
			add(raw)
		}
	}
	return list
}

// withoutPasswords is a text without the passwords of a URL. One that is too short to be one is hidden where it stands in a
// URL alone, for elsewhere its letters mean something else.
func withoutPasswords(text, address string) string {
	const short, shown = 4, "xxxxx"
	for _, s := range secrets(address) {
		text = strings.ReplaceAll(text, ":"+s+"@", ":"+shown+"@")
		text = strings.ReplaceAll(text, "password="+s, "password="+shown)
		if len(s) >= short {
			text = strings.ReplaceAll(text, s, shown)
		}
	}
	return text
}

// hidden is an error whose text has no secrets.
type hidden struct {
	error
	text string
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.error }

// withoutSecrets hides the passwords of what is in a command line in an error.
func withoutSecrets(err error, args []string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, a := range args {
		text = withoutPasswords(text, a)
	}
	if text == err.Error() {
		return err
	}
	return &hidden{err, text}
}
