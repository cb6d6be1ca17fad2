package postgres

import (
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Options say how a [Store] uses its database. The zero value, or nil, is good for production.
type Options struct {
	// Schema is where the tables are, within the database: up to 48 lowercase letters, digits and underscores. "socka" by
	// default. It is created if it is not there. Stores of different schemas know nothing of each other.
	Schema string

	// MaxConns is how many connections calls use at most; 8 by default. A call that finds all of them busy waits. There is
	// one more for leases, so that they are renewed however much there is to save, and one for each Notify.
	MaxConns int

	// ConnectTimeout is how long making one connection may take, for each address that the URL names; 5 s by default.
	ConnectTimeout time.Duration

	// CallTimeout is how long one call may take, with the wait for a connection; 10 s by default. The server stops working on
	// it after that time, too. It does not concern the creation of the schema at Open, nor Notify.
	CallTimeout time.Duration

	// Logger is told of settings of the server that put saves at risk, and of connections for Notify that were lost;
	// slog.Default() by default.
	Logger *slog.Logger
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,47}$`)

// complete returns the options with the defaults filled in.
func (o *Options) complete() (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Schema == "" {
		out.Schema = "socka"
	}
	if !schemaName.MatchString(out.Schema) {
		return out, fmt.Errorf("store/postgres: Options.Schema is %q, use up to 48 lowercase letters, digits and underscores, no digit first", out.Schema)
	}
	if out.MaxConns == 0 {
		out.MaxConns = 8
	}
	if out.ConnectTimeout == 0 {
		out.ConnectTimeout = 5 * time.Second
	}
	if out.CallTimeout == 0 {
		out.CallTimeout = 10 * time.Second
	}
	if out.MaxConns < 0 || out.MaxConns > 10_000 {
		return out, fmt.Errorf("store/postgres: Options.MaxConns is %d, use 1 to 10,000, or 0 for 8", out.MaxConns)
	}
	if out.ConnectTimeout < 0 || out.CallTimeout < time.Millisecond {
		return out, fmt.Errorf("store/postgres: Options.ConnectTimeout is %v and CallTimeout %v, use times of at least 1 ms, or 0 for the default", out.ConnectTimeout, out.CallTimeout)
	}
	if out.Logger == nil {
		out.Logger = slog.Default()
	}
	return out, nil
}
