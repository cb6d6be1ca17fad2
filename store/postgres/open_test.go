package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/postgres"
	"github.com/gosocka/socka/store/postgres/postgrestest"
)

// refuse asserts that Open fails with an error that says certain things, and nothing secret.
func refuse(t *testing.T, url string, options *postgres.Options, want ...string) {
	t.Helper()
	if options == nil {
		options = &postgres.Options{Logger: quiet}
	}
	s, err := postgres.Open(t.Context(), url, options)
	if err == nil {
		s.Close()
		t.Fatalf("Open succeeded, want an error with %q", want)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("Open: %v\nwant it to say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error has the password in it: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, schema := range []string{"Socka", "1a", "a-b", `a"b`, strings.Repeat("a", 49), "ä"} {
		refuse(t, "postgres://localhost", &postgres.Options{Schema: schema}, "Options.Schema", "lowercase")
	}
	refuse(t, "postgres://localhost", &postgres.Options{MaxConns: -1}, "Options.MaxConns is -1")
	refuse(t, "postgres://localhost", &postgres.Options{CallTimeout: -1}, "CallTimeout")
	refuse(t, "postgres://localhost", &postgres.Options{ConnectTimeout: -1}, "ConnectTimeout")
}

func TestErrorsOfURLsHaveNoPassword(t *testing.T) {
	for _, url := range []string{
		"postgres://user:s3cret@host:port/db",
		"postgres://user:s3cret%@host/db",
		"postgres://user:a/s3cret@host/db",
		"postgres://user:s3cret@host/db?sslmode=perhaps",
		"postgres://user:s3cret@host/db?connect_timeout=soon",
		"postgres://user:s3cret@host/db?pool_max_conns=many",
		"postgres://user@host/db?password=s3cret&sslmode=perhaps",
		"postgres://user:s3cret@host/db?sslmode=verify-full&sslrootcert=/does/not/exist",
		"host=localhost password=s3cret sslmode=perhaps",
		"host=localhost password='s3cret sslmode",
		"s3cret",
	} {
		refuse(t, url, nil, "the URL of the database cannot be used", "postgres://user:password@host:5432/database")
	}
	refuse(t, "postgres://user:s3cret@host/db?sslmode=perhaps", nil, "sslmode is invalid")
	// Those that can be parsed, and lead nowhere.
	refuse(t, "postgres://user:s3cret@127.0.0.1:1/db", &postgres.Options{Logger: quiet}, "opening the store", "127.0.0.1:1", "user=user", "database=db")
	refuse(t, "postgres://user:s3cret@/db?host=/does/not/exist", nil, "opening the store", "/does/not/exist")
}

func TestOpenEndsWithItsContext(t *testing.T) {
	url := postgrestest.Shared(t).Database(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := postgres.Open(ctx, url, &postgres.Options{Logger: quiet}); err == nil {
		s.Close()
		t.Error("Open with a context that has ended succeeded")
	}
}

func TestSchemaIsMadeOnceByMany(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	const n = 8
	stores := make([]*postgres.Store, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if stores[i], err = postgres.Open(t.Context(), url, &postgres.Options{Logger: quiet}); err != nil {
				t.Errorf("Open, one of %d at once: %v", n, err)
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		if s != nil {
			if _, err := s.Join(t.Context(), store.Owner{}, 0); err != nil {
				t.Errorf("Join: %v", err)
			}
			s.Close()
		}
	}
	if got := server.Exec(t, url, "SELECT count(*) || ' ' || (SELECT count(*) FROM socka.owners) FROM socka.versions"); got != "1 8" {
		t.Errorf("versions noted, and owners: %s; want 1 and 8", got)
	}
}

func TestSchemasAreApart(t *testing.T) {
	url := postgrestest.Shared(t).Database(t)
	a, b := open(t, url, &postgres.Options{Logger: quiet}), open(t, url, &postgres.Options{Schema: "select", Logger: quiet})
	if _, err := a.Join(t.Context(), store.Owner{}, 0); err != nil {
		t.Fatal(err)
	}
	if list, err := b.Owners(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("Owners in another schema: %v, %v", list, err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	open(t, url, &postgres.Options{Logger: quiet})
	server.Exec(t, url, "INSERT INTO socka.versions (version) VALUES (1000)")
	refuse(t, url, nil, "schema socka has version 1000", "newer")
}

func TestSchemaThatIsInTheWay(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	server.Exec(t, url, "CREATE SCHEMA socka CREATE TABLE rooms (number int)")
	refuse(t, url, nil, "version 1 of schema socka", `"rooms" already exists`)
	if got := server.Exec(t, url, "SELECT count(*) FROM pg_class WHERE relnamespace = 'socka'::regnamespace"); got != "1" {
		t.Errorf("%s tables and indexes are there after a failure, want the one that was", got)
	}
}

// A user needs rights to create the schema, but not to use it.
func TestUserWithFewRights(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	server.Exec(t, url, "DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN")
	asApp := strings.Replace(url, "postgres@", "app@", 1)
	refuse(t, asApp, nil, "creation of schema socka", "permission denied")
	open(t, url, &postgres.Options{Logger: quiet})
	server.Exec(t, url, `
		GRANT USAGE ON SCHEMA socka TO app;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA socka TO app;
		GRANT SELECT, UPDATE ON SEQUENCE socka.epochs TO app`)
	t.Cleanup(func() { server.Exec(t, url, "DROP OWNED BY app; DROP ROLE app") })
	s := open(t, asApp, &postgres.Options{Logger: quiet})
	key := store.Key{Kind: "chat", Name: "lobby"}
	o, err := s.Join(t.Context(), store.Owner{}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Acquire(t.Context(), o.ID, key)
	if err != nil {
		t.Fatal(err)
	}
	batch := store.Batch{Key: key, Epoch: r.Epoch, Put: []store.Part{{Name: "state"}, {Name: "b"}}, Append: []store.Append{{Log: "c", Record: store.Record{Seq: 1}}}}
	if err := s.Save(t.Context(), []store.Batch{batch})[0]; err != nil {
		t.Error(err)
	}
	if err := s.Save(t.Context(), []store.Batch{{Key: key, Epoch: r.Epoch, Then: store.Remove}})[0]; err != nil {
		t.Error(err)
	}
	if err := s.Leave(t.Context(), o.ID); err != nil {
		t.Error(err)
	}
	s.Close()
	server.Exec(t, url, "ALTER ROLE app SET default_transaction_read_only = on")
	refuse(t, asApp, nil, "takes no writes", "default_transaction_read_only")
}

func TestStandbyIsRefused(t *testing.T) {
	standby, primary := postgrestest.Start(t, "fsync=off"), postgrestest.Shared(t)
	standby.Stop(t)
	standby.StartStandby(t)
	refuse(t, standby.URL("postgres"), nil, "the server is a standby", "name the primary")
	// Of several servers the one that takes writes is found.
	hosts := strings.Replace(standby.URL("postgres"), "host=", "host="+primary.Host()+",", 1)
	for _, url := range []string{hosts, strings.Replace(primary.URL("postgres"), "host=", "host="+standby.Host()+",", 1)} {
		s := open(t, url, &postgres.Options{Schema: "of_several", Logger: quiet})
		if _, err := s.Join(t.Context(), store.Owner{}, 0); err != nil {
			t.Error(err)
		}
	}
}

func TestWeakSettingsAreReported(t *testing.T) {
	report := func(server *postgrestest.Server) (*postgres.Store, string) {
		out := new(logBuffer)
		s := open(t, server.URL("postgres"), &postgres.Options{Logger: out.logger()})
		return s, out.String()
	}
	server := postgrestest.Start(t, "fsync=off", "full_page_writes=off", "synchronous_commit=off")
	s, log := report(server)
	for setting, level := range map[string]string{"fsync": "ERROR", "full_page_writes": "ERROR", "synchronous_commit": "WARN"} {
		found := false
		for line := range strings.Lines(log) {
			found = found || strings.Contains(line, "level="+level) && strings.Contains(line, "setting="+setting+" value=off")
		}
		if !found {
			t.Errorf("%s off is not reported as %s:\n%s", setting, level, log)
		}
	}
	if got, err := s.Query(t.Context(), "SHOW synchronous_commit"); got != "on" || err != nil {
		t.Errorf("a session of the store has synchronous_commit %q (%v), want on", got, err)
	}
	server.Exec(t, server.URL("postgres"), "ALTER DATABASE postgres SET synchronous_commit = remote_apply")
	s, log = report(server)
	if strings.Contains(log, "synchronous_commit") {
		t.Errorf("synchronous_commit is reported though it is strong:\n%s", log)
	}
	if got, err := s.Query(t.Context(), "SHOW synchronous_commit"); got != "remote_apply" || err != nil {
		t.Errorf("a session of the store has synchronous_commit %q (%v), want what was set, which is stronger", got, err)
	}
	server = postgrestest.Start(t)
	if _, log := report(server); strings.Contains(log, "setting") {
		t.Errorf("a server as it comes has weak settings:\n%s", log)
	}
}
