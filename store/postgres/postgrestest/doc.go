// Package postgrestest starts private Postgres servers for tests and benchmarks, from the binaries that the machine has.
//
//	url := postgrestest.Shared(t).Database(t) // a new database on the server of this test binary
//
//	server := postgrestest.Start(t, "fsync=off") // a server of one's own
//	server.Kill(t)
//	server.Start(t)
//
// A server lives in a temporary directory and listens on a Unix socket there, so that any number of them run side by side.
// Started by root, it runs as the user postgres, as Postgres demands. Where the binaries are missing (Debian has them in the
// package postgresql) tests are skipped, saying so.
//
// It may import the standard library and pgx, and nothing of ours.
//
// # Invariants
//
//   - No server outlives the test binary that started it, and no directory does, however that ends: a guard, which is a
//     process of its own, waits for the end of a pipe that the test binary holds.
//   - A server of [Start] ends with its test, that of [Shared] with the test binary.
package postgrestest
