package store_test

import (
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.RunVirtual(t, func(t *testing.T) storetest.Harness {
		root := store.NewMemory()
		return storetest.Harness{
			Open:    func(*testing.T) store.Store { return root.Open() },
			Advance: func(_ *testing.T, d time.Duration) { time.Sleep(d) },
		}
	})
}
