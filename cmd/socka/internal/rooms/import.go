package rooms

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/gosocka/socka/store"
)

// Batches are saved when they have that many rooms or bytes.
const (
	batchRooms = 64
	batchBytes = 4 << 20
)

// ImportOptions say what Import does. The zero value imports everything and replaces nothing.
type ImportOptions struct {
	Kind    string                 // rooms of this kind alone; "": of all
	Replace bool                   // rooms that are there with other contents get those of the file
	DryRun  bool                   // find out what would be done, and change nothing
	Tell    func(*Imported)        // hears of progress; nil: nobody does
	Left    func(what, why string) // hears of each room or line that is left out; nil: nobody does
}

// Imported is what Import has done, or with DryRun would do.
type Imported struct {
	Written Count // new, or replaced
	Same    Count // were there with the same contents
	Exists  Count // were there with others, and were left
	Held    Count // have an owner that lives, and were left
	Damaged int64 // lines that could not be used
	Other   int64 // rooms of another kind
	Cut     bool  // the file has no end, or another number of rooms than its end says
}

// Left is how many rooms and lines of the file are not in the store now, and were asked for.
func (i *Imported) Left() int64 { return i.Exists.Rooms + i.Held.Rooms + i.Damaged }

// importer is one Import.
type importer struct {
	*ImportOptions
	store store.Store
	owner *owner
	live  Owners // for a dry run
	done  Imported

	batches []store.Batch
	sizes   []int64
	pending int64
}

// Import reads rooms that Export wrote into a store. It goes on after a room that it must not touch, and after a line that is
// damaged; with an error of the store, or when ctx ends, it stops. What it returns besides is what was done up to then. The same
// file may be imported again: what is there already is passed over.
func Import(ctx context.Context, s store.Store, r io.Reader, opts *ImportOptions) (done *Imported, err error) {
	im := &importer{ImportOptions: opts, store: s}
	in := bufio.NewReaderSize(r, 1<<16)
	if _, err := readHead(in); err != nil {
		return &im.done, err
	}
	work := ctx
	if im.DryRun {
		if im.live, err = LiveOwners(ctx, s); err != nil {
			return &im.done, err
		}
	} else {
		if im.owner, work, err = join(ctx, s, "import"); err != nil {
			return &im.done, err
		}
		defer func() {
			// What was acquired is written before anything is given back, also when ctx has ended.
			err = errors.Join(err, im.flush(ctx), im.owner.leave(ctx))
		}()
	}
	return &im.done, im.lines(work, in)
}

// lines imports one line after the other, up to the end.
func (im *importer) lines(ctx context.Context, in *bufio.Reader) error {
	n := int64(0)
	for at := 2; ; at++ {
		data, err := nextLine(ctx, in)
		switch {
		case err == io.EOF && len(bytes.TrimSpace(data)) == 0:
			im.done.Cut = true
			return nil
		case err != nil && err != io.EOF:
			return err
		}
		s, end, err := readLine(data)
		switch {
		case err != nil:
			im.done.Damaged++
			im.left(fmt.Sprintf("line %d", at), err.Error())
			continue
		case end != nil:
			im.done.Cut = end.Rooms != n+im.done.Damaged
			return nil
		}
		n++
		if im.Kind != "" && im.Kind != string(s.Kind) {
			im.done.Other++
			continue
		}
		if err := im.room(ctx, s); err != nil {
			return err
		}
		if im.Tell != nil {
			im.Tell(&im.done)
		}
	}
}

// nextLine reads a line, unless ctx ends before there is one.
func nextLine(ctx context.Context, in *bufio.Reader) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	read := make(chan result, 1)
	go func() {
		data, err := in.ReadBytes('\n')
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		return r.data, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx) // whoever reads from a terminal or pipe reads on, and is heard no more
	}
}

func (im *importer) left(what, why string) {
	if im.Left != nil {
		im.Left(what, why)
	}
}

// room imports one room.
func (im *importer) room(ctx context.Context, s *saved) error {
	if im.isPending(s.key()) { // the file has it twice
		if err := im.flush(ctx); err != nil {
			return err
		}
	}
	there, err := im.store.Load(ctx, s.key())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return stopped(ctx, err)
	}
	if err == nil && !im.mayReplace(s, there) {
		return nil
	}
	if im.DryRun {
		if there != nil {
			if o, lives := im.live[there.Owner]; lives {
				im.held(s, o)
				return nil
			}
		}
		im.done.Written.add(s.bytes())
		return nil
	}
	acquired, err := im.owner.store.Acquire(ctx, im.owner.id, s.key())
	var held *store.HeldError
	switch {
	case errors.As(err, &held):
		im.held(s, held.Owner)
		return nil
	case err != nil:
		return stopped(ctx, err)
	}
	if !acquired.Empty() && !im.mayReplace(s, acquired) { // it has changed since
		im.add(store.Batch{Key: acquired.Key, Epoch: acquired.Epoch, Number: 1, Keep: true, Then: store.Release}, -1)
	} else {
		im.add(*s.batch(acquired), s.bytes())
	}
	if len(im.batches) >= batchRooms || im.pending >= batchBytes {
		return im.flush(ctx)
	}
	return nil
}

// mayReplace counts a room that is there, unless it is to be replaced.
func (im *importer) mayReplace(s *saved, there *store.Room) bool {
	switch {
	case s.same(there):
		im.done.Same.add(s.bytes())
	case !im.Replace:
		im.done.Exists.add(s.bytes())
		im.left(s.key().String(), "is there already, with other contents")
	default:
		return true
	}
	return false
}

func (im *importer) held(s *saved, by store.Owner) {
	im.done.Held.add(s.bytes())
	im.left(s.key().String(), heldBy(by))
}

func (im *importer) isPending(key store.Key) bool {
	return slices.ContainsFunc(im.batches, func(b store.Batch) bool { return b.Key == key })
}

// add puts a batch to those that are saved together. size is that of the room it writes, negative if it writes none.
func (im *importer) add(b store.Batch, size int64) {
	im.batches, im.sizes = append(im.batches, b), append(im.sizes, size)
	im.pending += max(size, 0)
}

// flush saves what is pending.
func (im *importer) flush(ctx context.Context) error {
	if len(im.batches) == 0 {
		return nil
	}
	batches, sizes := im.batches, im.sizes
	im.batches, im.sizes, im.pending = nil, nil, 0
	var first error
	for i, err := range im.owner.save(ctx, batches) {
		switch {
		case err == nil && sizes[i] >= 0:
			im.done.Written.add(sizes[i])
		case err != nil && first == nil:
			first = fmt.Errorf("writing room %s: %w", batches[i].Key, err)
		}
	}
	return first
}

// stopped is the error of a call to the store: if its context had ended, why.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
