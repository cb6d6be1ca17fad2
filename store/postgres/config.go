package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// readOnlyTransaction is the code of the error of a write where none is taken.
const readOnlyTransaction = "25006"

// oldest is the oldest version of Postgres that has what the schema uses.
const oldest = 140000

// parse makes a configuration of a URL. Its connections are only made to a server that takes writes, and their sessions are
// set up by session.
func parse(address string, o *Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("store/postgres: the URL of the database cannot be used: %s (it looks like postgres://user:password@host:5432/database; odd characters in a password are percent-encoded)", withoutURL(err))
	}
	config.MaxConns = int32(o.MaxConns)
	// A health check that removes connections has nothing to do with their number being right.
	config.MinConns, config.MinIdleConns = 0, 0
	config.MaxConnLifetimeJitter = config.MaxConnLifetime / 10
	config.PingTimeout = o.ConnectTimeout
	connect := config.ConnConfig
	connect.ConnectTimeout = o.ConnectTimeout
	if _, ok := connect.RuntimeParams["application_name"]; !ok {
		connect.RuntimeParams["application_name"] = "socka"
	}
	fatal := connect.OnPgError
	connect.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		// A server that takes no writes any more is left: another may have its place.
		return fatal(conn, err) && err.Code != readOnlyTransaction
	}
	wanted := connect.ValidateConnect // by target_session_attrs in the URL
	connect.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if wanted != nil {
			if err := wanted(ctx, conn); err != nil {
				return err
			}
		}
		return session(ctx, conn, o.CallTimeout)
	}
	return config, nil
}

// withoutURL is what an error of parsing says, without what it quotes: a URL has a password in it, and one that cannot be
// parsed may have it anywhere.
func withoutURL(err error) string {
	if inner := new(url.Error); errors.As(err, &inner) {
		return "it is no URL"
	}
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	if before, _, found := strings.Cut(text, "failed to parse as URL"); found {
		return before + "it is no URL"
	}
	return text
}

// settings are those of every session.
//
// Rooms are looked up by keys, always: a plan that reads a table as a whole, which Postgres takes for cheap while there are
// few rooms or before it has counted them, is never right for long, and would be kept for as long as the connection. Nothing
// but nested loops over indexes is also what the order of locks in save rests on. With these settings one plan does for
// every call, so it is made once. JIT compiles what looks expensive, and would take these settings for that.
var settings = []struct{ name, value string }{
	{"default_transaction_isolation", "read committed"},
	{"plan_cache_mode", "force_generic_plan"},
	{"enable_seqscan", "off"},
	{"enable_bitmapscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"jit", "off"},
}

// session prepares a connection, in one round trip: it refuses a server that takes no writes or is too old, and makes the
// settings. synchronous_commit becomes on where it was weaker: a save that is acknowledged has to be on disk.
func session(ctx context.Context, conn *pgconn.PgConn, timeout time.Duration) error {
	var sql strings.Builder
	sql.WriteString("SELECT current_setting('server_version_num'), pg_is_in_recovery(), current_setting('transaction_read_only')")
	sql.WriteString(", set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)")
	for _, s := range settings {
		fmt.Fprintf(&sql, ", set_config('%s', '%s', false)", s.name, s.value)
	}
	for _, name := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		fmt.Fprintf(&sql, ", set_config('%s', '%d', false)", name, timeout.Milliseconds())
	}
	results, err := conn.Exec(ctx, sql.String()).ReadAll()
	if err != nil {
		return fmt.Errorf("setting up a session: %w", err)
	}
	row := results[0].Rows[0]
	version, _ := strconv.Atoi(string(row[0])) // always a number
	switch {
	case version < oldest:
		return fmt.Errorf("the server is Postgres %d, use %d or newer", version/10000, oldest/10000)
	case string(row[1]) == "t":
		return errStandby
	case string(row[2]) == "on":
		return errReadOnly
	}
	return nil
}

var (
	errStandby  = errors.New("the server is a standby, which takes no writes: name the primary, or all servers of the cluster, as in postgres://user@a:5432,b:5432/database")
	errReadOnly = errors.New("the server takes no writes in this database by this user (default_transaction_read_only is on): set it off")
)
