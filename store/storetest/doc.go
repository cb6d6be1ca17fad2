// Package storetest is the conformance suite of package store: an implementation is a store.Store if [Run] says so.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Harness { … })
//	}
//
// It may import store.
package storetest
