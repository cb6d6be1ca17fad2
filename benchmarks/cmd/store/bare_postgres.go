package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

type barePostgres struct{ conn *pgx.Conn }

// openBarePostgres connects, and makes a table of keys and values if it is the first. The settings are the server's, which
// syncs each commit.
func openBarePostgres(ctx context.Context, url string, first bool) (writer, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if first {
		_, err = conn.Exec(ctx, `CREATE TABLE bare (key bytea PRIMARY KEY, data bytea NOT NULL) WITH (fillfactor = 70)`)
	}
	return &barePostgres{conn}, err
}

const bareUpsert = `INSERT INTO bare SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT (key) DO UPDATE SET data = excluded.data`

// write sends a statement for each list, all at once: they are one transaction.
func (b *barePostgres) write(ctx context.Context, lists [][]value) error {
	var batch pgx.Batch
	for _, list := range lists {
		keys, data := make([][]byte, len(list)), make([][]byte, len(list))
		for i, v := range list {
			keys[i], data[i] = []byte(v.key), v.data
		}
		batch.Queue(bareUpsert, keys, data)
	}
	return b.conn.SendBatch(context.WithoutCancel(ctx), &batch).Close()
}

func (b *barePostgres) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return b.conn.Close(ctx)
}
