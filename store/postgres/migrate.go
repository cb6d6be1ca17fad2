package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The files are named by the version that they make of the one before: 0001.sql makes version 1 of nothing. Where they say
// @schema@ they mean the schema.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations returns the migrations in order: the i-th makes version i + 1.
func migrations() []string {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		panic(err) // the pattern is good
	}
	var list []string
	for i, name := range names {
		if n, err := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".sql")); err != nil || n != i+1 {
			panic("store/postgres: " + name + " is not the name of migration " + strconv.Itoa(i+1))
		}
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		list = append(list, string(text))
	}
	return list
}

// migrate creates the schema, or brings it up to date, in one transaction. Others that do so at the same time wait. A schema
// that is up to date is only looked at, so that the user need not be allowed more than its use.
func migrate(ctx context.Context, conn *pgx.Conn, schema string, log *slog.Logger) error {
	todo := migrations()
	version, err := schemaVersion(ctx, conn, schema, len(todo))
	if err != nil || version == len(todo) {
		return err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("creating schema %s: %w", schema, err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if version, err = upgrade(ctx, tx, schema, todo); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("creating schema %s: %w", schema, err)
	}
	if version < len(todo) {
		log.Info("socka: the schema in Postgres was made or brought up to date", "schema", schema, "from", version, "to", len(todo))
	}
	return nil
}

// upgrade says which version it found once it was alone.
func upgrade(ctx context.Context, tx pgx.Tx, schema string, todo []string) (version int, err error) {
	quoted := pgx.Identifier{schema}.Sanitize()
	exec := func(what, sql string) {
		if err == nil {
			if _, err = tx.Conn().PgConn().Exec(ctx, sql).ReadAll(); err != nil {
				err = fmt.Errorf("%s of schema %s: %w", what, schema, err)
			}
		}
	}
	// What follows may take as long as it takes, and others may be at it.
	exec("creation", "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(hashtextextended('socka: versions of "+quoted+"', 0))")
	if err != nil {
		return 0, err
	}
	if version, err = schemaVersion(ctx, tx.Conn(), schema, len(todo)); err != nil {
		return 0, err
	}
	if version == 0 {
		var there bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema).Scan(&there); err != nil {
			return 0, fmt.Errorf("creation of schema %s: %w", schema, err)
		}
		if !there {
			exec("creation", "CREATE SCHEMA "+quoted)
		}
		exec("creation", "CREATE TABLE "+quoted+".versions (version integer PRIMARY KEY, made timestamptz NOT NULL DEFAULT now())")
	}
	for i := version; i < len(todo); i++ {
		exec(fmt.Sprintf("version %d", i+1), strings.ReplaceAll(todo[i], "@schema@", quoted))
		exec(fmt.Sprintf("version %d", i+1), fmt.Sprintf("INSERT INTO %s.versions (version) VALUES (%d)", quoted, i+1))
	}
	return version, err
}

// schemaVersion reads the version of the schema, 0 if it is not there. One above newest is an error.
func schemaVersion(ctx context.Context, conn *pgx.Conn, schema string, newest int) (version int, err error) {
	quoted := pgx.Identifier{schema}.Sanitize()
	var there bool
	// Not to_regclass: that may say what it said before others made it.
	err = conn.QueryRow(ctx, `SELECT EXISTS (
		SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'versions'
	)`, schema).Scan(&there)
	if err == nil && there {
		err = conn.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM "+quoted+".versions").Scan(&version)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading the version of schema %s: %w", schema, err)
	case version > newest:
		return 0, fmt.Errorf("schema %s has version %d, made by a newer Socka, and this one knows versions up to %d: use the newer one, or another Options.Schema", schema, version, newest)
	}
	return version, nil
}
