// Command sqlite-drivers measures the SQLite drivers without cgo on what a store of rooms does with them: many rooms saved in
// one transaction, single saves, big values, reads, and two processes that write to one file. Every commit is synced.
//
//	go build -o bin/ ./sqlite-drivers && bin/sqlite-drivers
//	bin/sqlite-drivers -jobs batch-300B,single-300B -runs 5 -dir /some/disk
//
// Contenders take turns, each measurement in a process and on a file of its own; what is printed are medians of the runs.
// CPU is user and system time of the process. The file is made in -dir: results are of that disk.
//
// # What is measured
//
//	batch-N     200 rooms with a part of N are saved in each transaction, the same 200
//	batch-sparse  likewise, 200 of 100,000, picked anew each time
//	log-N       200 rooms append a record of N to a log of 50, and trim it, in each transaction
//	single-N    one room in each transaction
//	read-N      a part is read
//	two-...     the same by two processes at once, each on the same rooms
//
// # Contenders
//
//	ncruces     github.com/ncruces/go-sqlite3, its own API
//	modernc     modernc.org/sqlite, through the interfaces of database/sql/driver, without database/sql
//	modernc-sql modernc.org/sqlite, through database/sql, prepared statements on one connection
//
// modernc syncs with fdatasync, as ncruces does, and not with fsync, which would be its default.
package main
