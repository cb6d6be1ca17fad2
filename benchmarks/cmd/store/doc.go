// Command store measures what it costs to keep rooms, and writes the tables of docs/benchmarks-persistence.md. Use run.sh
// -store, which builds what this needs.
//
// Each measurement is a process of its own (task): this program again, with -task, on a database of its own. Postgres runs as
// one private server for all of them.
package main
