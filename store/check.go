package store

import (
	"fmt"
	"time"
)

const maxSeq = 1<<63 - 1

// CheckKey says what is wrong with the name of a room, for implementations: an empty kind or name, or one that is longer
// than MaxNameBytes. Any bytes may be in it.
func CheckKey(k Key) error {
	if err := checkName("kind", k.Kind); err != nil {
		return fmt.Errorf("store: room %q: %w", k.String(), err)
	}
	if err := checkName("room", k.Name); err != nil {
		return fmt.Errorf("store: room %q: %w", k.String(), err)
	}
	return nil
}

// CheckBatch says what is wrong with a batch, for implementations: a name that is empty or too long, a Seq that is 0, a Seq
// or a Number above 1<<63 - 1, or an unknown Then. Such a batch is refused as a whole, before anything is done for it.
func CheckBatch(b *Batch) error {
	if err := CheckKey(b.Key); err != nil {
		return err
	}
	if err := checkContents(b); err != nil {
		return fmt.Errorf("store: batch for room %q: %w", b.Key.String(), err)
	}
	return nil
}

func checkContents(b *Batch) error {
	for i := range b.Put {
		if err := checkName("part", b.Put[i].Name); err != nil {
			return fmt.Errorf("in Put[%d]: %w", i, err)
		}
	}
	for i, name := range b.Delete {
		if err := checkName("part", name); err != nil {
			return fmt.Errorf("in Delete[%d]: %w", i, err)
		}
	}
	for i := range b.Append {
		if err := checkName("log", b.Append[i].Log); err != nil {
			return fmt.Errorf("in Append[%d]: %w", i, err)
		}
		if seq := b.Append[i].Seq; seq == 0 || seq > maxSeq {
			return fmt.Errorf("the Seq of Append[%d] is %d, use one from 1 to 1<<63 - 1", i, seq)
		}
	}
	for i := range b.Trim {
		if err := checkName("log", b.Trim[i].Log); err != nil {
			return fmt.Errorf("in Trim[%d]: %w", i, err)
		}
	}
	if b.Number > maxSeq {
		return fmt.Errorf("the Number is %d, use one from 1 to 1<<63 - 1, or 0 for none", b.Number)
	}
	if b.Then > Remove {
		return fmt.Errorf("the Then is %d, use Hold, Release or Remove", b.Then)
	}
	return nil
}

// CheckTTL says what is wrong with the ttl of a lease, for implementations: it is neither zero nor at least MinTTL.
func CheckTTL(ttl time.Duration) error {
	if ttl != 0 && ttl < MinTTL {
		return fmt.Errorf("store: a lease of %v is too short, use at least %v, or 0 for one that does not end", ttl, MinTTL)
	}
	return nil
}

func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name of the %s is empty", what)
	case len(name) > MaxNameBytes:
		return fmt.Errorf("the name of the %s has %d bytes, at most %d are allowed", what, len(name), MaxNameBytes)
	}
	return nil
}
