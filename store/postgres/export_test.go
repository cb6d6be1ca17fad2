package postgres

import (
	"context"
	"strings"
)

// What tests need of the inside.

// Query runs a statement on a connection of the pool, and returns the first column of its result, line by line. @schema@
// stands for the schema.
func (s *Store) Query(ctx context.Context, sql string, args ...any) (string, error) {
	rows, err := s.pool.Query(ctx, strings.ReplaceAll(sql, "@schema@", s.schema), args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return "", err
		}
		text, _ := values[0].(string)
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n"), rows.Err()
}

// SetLimits makes statements and batches smaller.
func (s *Store) SetLimits(statement, batch int) { s.limits = limits{statement, batch} }

// Told makes the store do as if it had been told of a wake, and says whether it passes it on.
func (s *Store) Told(wake int64) bool { return s.asked.heard(wake) }

// DueSQL is what Due asks.
const DueSQL = dueSQL

// Tell makes the store tell others of a wake.
func (s *Store) Tell(wake int64) { s.teller.wake(wake) }
