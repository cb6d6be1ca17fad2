package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gosocka/socka/store/snapshot"
)

// Step takes a value of one version of a definition to the next. Make one with [NewStep].
type Step struct {
	apply func(ctx context.Context, e snapshot.Encoding, old []byte) ([]byte, error)
}

// NewStep makes a step of a migration from a function from the old type to the new one.
func NewStep[Old, New any](f func(ctx context.Context, old Old) (New, error)) Step {
	return Step{func(ctx context.Context, e snapshot.Encoding, data []byte) ([]byte, error) {
		var old Old
		if err := e.Unmarshal(data, &old); err != nil {
			return nil, fmt.Errorf("%w: it is no %T: %w", snapshot.ErrCorrupt, old, err)
		}
		next, err := f(ctx, old)
		if err != nil {
			return nil, err
		}
		return e.Marshal(&next)
	}}
}

// Migration leads from one version of a definition to the next. A part that is nil leaves the state, or the sessions'
// data, as it is.
type Migration struct {
	State Step
	Data  Step
}

// errNewer is of a snapshot of a version that this program does not know.
var errNewer = errors.New("room: the snapshot is of a newer version")

// checkMigrations says what is wrong with a definition's version.
func (k *kind) checkMigrations() error {
	if k.version < 1 {
		return fmt.Errorf("room: kind %s: Version is %d; versions begin with 1", k.name, k.version)
	}
	for from := range k.migrations {
		if from < 1 || from >= k.version {
			return fmt.Errorf("room: kind %s: Migrate[%d] leads from version %d to %d, but Version is %d", k.name, from, from, from+1, k.version)
		}
	}
	oldest := k.version
	for from := range k.migrations {
		oldest = min(oldest, from)
	}
	for from := oldest; from < k.version; from++ {
		if _, ok := k.migrations[from]; !ok {
			return fmt.Errorf("room: kind %s: Migrate has no step from version %d to %d", k.name, from, from+1)
		}
	}
	return nil
}

// migrate takes the encoding of a value through the steps from its version to the present one.
func (k *kind) migrate(ctx context.Context, h snapshot.Header, data []byte, step func(Migration) Step) ([]byte, error) {
	version := int(h.Version)
	if version > k.version {
		return nil, fmt.Errorf("%w: %d; this program knows kind %s up to version %d", errNewer, version, k.name, k.version)
	}
	for ; version < k.version; version++ {
		m, ok := k.migrations[version]
		if !ok {
			return nil, fmt.Errorf("room: kind %s: Migrate has no step from version %d to %d", k.name, version, version+1)
		}
		if s := step(m); s.apply != nil {
			var err error
			if data, err = s.apply(ctx, h.Encoding, data); err != nil {
				return nil, fmt.Errorf("room: kind %s: the step from version %d to %d: %w", k.name, version, version+1, err)
			}
		}
	}
	return data, nil
}

// migrateRecord is migrate for the data within a session's record.
func (k *kind) migrateRecord(ctx context.Context, h snapshot.Header, body []byte) ([]byte, error) {
	if int(h.Version) == k.version {
		return body, nil
	}
	step := func(m Migration) Step { return m.Data }
	if h.Encoding == snapshot.Msgpack {
		return migrateRaw[msgpack.RawMessage](ctx, k, h, body, step)
	}
	return migrateRaw[json.RawMessage](ctx, k, h, body, step)
}

func migrateRaw[Raw ~[]byte](ctx context.Context, k *kind, h snapshot.Header, body []byte, step func(Migration) Step) ([]byte, error) {
	var rec sessionRecord[Raw]
	if err := h.Encoding.Unmarshal(body, &rec); err != nil {
		return nil, err
	}
	data, err := k.migrate(ctx, h, rec.Data, step)
	if err != nil {
		return nil, err
	}
	rec.Data = data
	return h.Encoding.Marshal(&rec)
}
