package sqlite

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

// isBusy says that another connection has what is needed.
func isBusy(err error) bool { return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.PROTOCOL) }

// isFull says that there was no space. Of the shared memory the driver says only that it could not be made larger.
func isFull(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, sqlite3.IOERR_SHMSIZE) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// breaks says that a connection should not be used again after an error.
func breaks(err error) bool {
	if isFull(err) {
		return false // it goes on when there is space
	}
	for _, code := range []sqlite3.ErrorCode{sqlite3.IOERR, sqlite3.CORRUPT, sqlite3.NOTADB, sqlite3.CANTOPEN, sqlite3.MISUSE, sqlite3.INTERNAL} {
		if errors.Is(err, code) {
			return true
		}
	}
	return errors.Is(err, errPanic)
}

// explain says of an error of SQLite what was to be done, with which file, and what to do about it.
func explain(path, doing string, err error) error {
	hint := ""
	switch {
	case err == nil:
		return nil
	case isFull(err):
		hint = "; the disk is full: free some space, then it goes on by itself"
	case isBusy(err):
		hint = "; another process has the file locked: wait for it, or end it"
	case errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.PERM), errors.Is(err, syscall.EACCES):
		hint = "; make the file and its folder writable for this process, SQLite puts two more files beside it"
	case errors.Is(err, sqlite3.NOTADB), errors.Is(err, sqlite3.CORRUPT):
		hint = "; the file is damaged: stop all that use it and put a backup in its place"
	case errors.Is(err, sqlite3.IOERR):
		hint = "; the disk failed: see the system's log"
	case errors.Is(err, sqlite3.TOOBIG), errors.Is(err, errPanic):
		hint = "; it may be too much at once: save less"
	}
	return fmt.Errorf("store/sqlite: %s: %s: %w%s", path, doing, err, hint)
}

// ended is the error of a call whose context has ended before anything was done.
func ended(ctx context.Context) error {
	return fmt.Errorf("store/sqlite: nothing was done: %w", ctx.Err())
}
