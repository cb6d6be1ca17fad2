// Package storetest is the conformance suite of package store: an implementation is a store.Store if [Run] says so.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Harness { … })
//	}
//
// Every promise of the comments in package store has a subtest, named after the group and the promise, that fails where it
// is broken. The suite sleeps nowhere: leases end because a Harness makes time pass. Nothing that it asserts depends on how
// fast the store is; leases are of an hour, so that none ends because a machine is slow.
//
// What is left open by package store is left open here:
//   - Whether an empty value comes back as nil or not. That it is there is what counts.
//   - Whether Due, as long as an owner lives, says to ask again earlier than it would have to.
//   - Where a lapsed owner's room stands in Due whose Wake came before the lapse: whether it was due since then or since
//     the lapse.
//
// It may import store.
package storetest
