package postgres

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// reportWeak logs the settings of the server under which what was acknowledged may be lost.
func reportWeak(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	// reset_val is the setting that a session has if it does not change it, as ours do.
	rows, err := conn.Query(ctx, "SELECT name, reset_val FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name")
	if err != nil {
		return fmt.Errorf("reading the settings of the server: %w", err)
	}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		switch {
		case name == "fsync" && value == "off":
			log.Error("socka: Postgres does not wait for the disk: a crash of its machine may lose saves that were acknowledged, and leave the whole database beyond repair; set fsync on",
				"setting", name, "value", value)
		case name == "full_page_writes" && value == "off":
			log.Error("socka: Postgres does not log whole pages: a crash of its machine may leave pages half written, and lose any rooms in them, unless the file system never does that; set full_page_writes on",
				"setting", name, "value", value)
		case name == "synchronous_commit" && value != "on" && value != "remote_apply":
			log.Warn("socka: Postgres acknowledges before everything is on disk, here or on its synchronous standby: a crash would lose the last saves; the connections of this store set synchronous_commit on for themselves, so that none are",
				"setting", name, "value", value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the settings of the server: %w", err)
	}
	return nil
}
