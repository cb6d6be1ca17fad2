package sqlite

import (
	"errors"

	"github.com/ncruces/go-sqlite3"
)

// checkpointPages is how many pages of 4 KiB the write-ahead log has when it is copied into the database, and at maxTimes as
// many the writer waits for that.
const (
	checkpointPages = 4000
	maxTimes        = 4
)

// copier copies the write-ahead log into the database, on a connection of its own, while the writer goes on. That is most
// of the work, but never comes to an end by itself under load: for the log to begin anew, the writer has to copy the rest
// while nobody writes.
//
//	pages:  0 ───▶ writer.threshold ──▶ … ─────────▶ the rest by the writer ─▶ 0
//	                 the copier begins    it is done
//
// Where a reader still needs an old state the log cannot begin anew; that is tried again when it has grown by half of that.
// Errors come again then, and stop nobody.
type copier struct {
	path string
	c    *conn         // nil until it is needed, or after it broke
	done chan struct{} // nil if no copying was begun that the writer has not finished
}

// begin begins to copy, and calls then when it is done.
func (k *copier) begin(then func()) {
	done := make(chan struct{})
	k.done = done
	go func() {
		defer then()
		defer close(done)
		k.copy()
	}()
}

func (k *copier) copy() {
	if k.c == nil {
		c, err := openConn(k.path)
		if err != nil {
			return
		}
		k.c = c
	}
	_, _, _ = k.c.checkpoint(sqlite3.CHECKPOINT_PASSIVE)
	if k.c.broken {
		k.c.close()
		k.c = nil
	}
}

// close waits for what was begun.
func (k *copier) close() error {
	if k.done != nil {
		<-k.done
	}
	if k.c == nil {
		return nil
	}
	return k.c.close()
}

// checkpoint says how many pages the log has, and how many of them are in the database.
func (c *conn) checkpoint(mode sqlite3.CheckpointMode) (pages, copied int, err error) {
	err = c.guard(func() (err error) {
		pages, copied, err = c.db.WALCheckpoint("", mode)
		return err
	})
	return pages, copied, err
}

// checkpoint does what is to be done about the length of the log. It is called between transactions.
func (w *writer) checkpoint() {
	if w.pages < w.threshold {
		w.next = w.threshold
	}
	if w.c == nil || w.c.broken {
		return
	}
	if w.copier.done == nil {
		if w.pages >= w.next {
			w.copier.begin(w.ring)
		}
		return
	}
	if w.pages < maxTimes*w.threshold {
		select {
		case <-w.copier.done:
		default:
			return
		}
	}
	<-w.copier.done
	w.copier.done = nil
	pages, copied, err := w.c.checkpoint(sqlite3.CHECKPOINT_FULL)
	if err != nil || copied < pages {
		w.next = w.pages + w.threshold/2
	} else {
		w.pages = 0 // the next transaction begins it anew
	}
}

// finish leaves the database whole, without a write-ahead log if nobody else has it open, and closes the connections.
func (w *writer) finish() error {
	err := w.copier.close()
	if w.c != nil {
		_, _, checkpointed := w.c.checkpoint(sqlite3.CHECKPOINT_TRUNCATE)
		if isBusy(checkpointed) {
			checkpointed = nil // others have it, and will do it
		}
		err = errors.Join(err, checkpointed, w.c.close())
	}
	return explain(w.path, "closing", err)
}
