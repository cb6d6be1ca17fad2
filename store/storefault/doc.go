// Package storefault makes a store fail on demand, for tests of what stands on it.
//
//	s := storefault.Wrap(store.NewMemory())
//	away := s.Inject(storefault.Fault{})                                       // every call fails, until
//	away.Release()                                                             // it is back
//	s.Inject(storefault.Fault{On: storefault.Save, Times: 3})                  // the next three saves fail
//	s.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.FailAfter, // one in ten saves is done, and says that
//		Odds: 0.1})                                                            // it failed
//	held := s.Inject(storefault.Fault{Room: key, Kind: storefault.Hold})       // what concerns this room waits, until
//	s.Crash(storefault.Either)                                                 // the process is dead
//	t.Log(s.Log())
//
// [Wrap] takes one handle, so the faults are those of one process: others, with handles of their own, see what it has and
// has not done. Without faults a *Store does what its store does. It may import store.
//
// # What a fault does
//
//	             carried out          the caller is told
//	Fail         no                   an error
//	FailAfter    yes                  an error: it cannot know
//	Slow         yes                  the result, after Delay
//	Hold         yes, on Release      the result, after that
//	Hang         no                   the error of its context, when that ends
//	Late         yes, on Release      an error at once
//	Tear         some batches         an error for the others
//	TearBlind    some batches         an error for all
//
// A Save of one batch is never torn within it: that is what stores guarantee. Every call is matched against the faults in
// the order in which they were injected; it takes the waiting of each Slow and Hold that hits it, and ends with the first
// of another kind.
//
// # Crashes
//
// [Store.Crash] is the death of the process that has the handle. What a Save has acknowledged is durable, so there is
// nothing that was written and not synced for a crash to lose: what is lost, or not, is exactly what was under way. Nothing
// is carried out any more when Crash returns, but for calls that are Late: they are in the network, and arrive when they
// are released. The owner's row and its rooms stay as they are; time has to pass until others have them.
//
// # Order
//
// Chance comes from one generator per Store ([Store.Seed]), asked in the order of calls: with calls in the same order, it
// is the same in every run.
package storefault
