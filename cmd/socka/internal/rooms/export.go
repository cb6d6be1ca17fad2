package rooms

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gosocka/socka/store"
)

// Count is how many rooms something was done with, and the bytes of their parts and records.
type Count struct {
	Rooms, Bytes int64
}

func (c *Count) add(bytes int64) {
	c.Rooms++
	c.Bytes += bytes
}

// Export writes the rooms of a kind, or with kind "" of all, to w. Each is as it was at one moment, not all at the same. tell,
// unless nil, hears of every room. What was counted was written whole, also if there is an error.
func Export(ctx context.Context, s store.Store, w io.Writer, kind string, tell func(Count)) (Count, error) {
	var c Count
	out := bufio.NewWriterSize(w, 1<<16)
	err := writeLine(out, head{formatName, formatVersion, time.Now().UTC().Truncate(time.Second)})
	for e, listed := range All(ctx, s, kind, store.Key{}) {
		if err != nil {
			break
		}
		if err = listed; err != nil {
			break
		}
		r, loaded := s.Load(ctx, e.Key)
		if errors.Is(loaded, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err = loaded; err != nil {
			break
		}
		var l *line
		if l, err = toLine(r); err == nil {
			err = writeLine(out, l)
		}
		if err == nil {
			c.add(toSaved(r).bytes())
			if tell != nil {
				tell(c)
			}
		}
	}
	if err == nil {
		err = writeLine(out, line{End: &end{c.Rooms}})
	}
	if flushed := out.Flush(); flushed != nil {
		return Count{}, fmt.Errorf("writing: %w", flushed)
	}
	return c, err
}
