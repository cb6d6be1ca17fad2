// Package store says what a server needs of the place where its rooms are kept, and has the one that is memory.
//
// A [Store] keeps three things:
//
//   - Owners. An owner is one incarnation of a process. It holds one lease, which it renews; rooms refer to it. An owner
//     whose lease has ended, or that has left, is lapsed.
//   - Rooms. A room is a row with an epoch, an owner or none, the time at which it wants to be woken, named parts (whole
//     values) and named logs (numbered records).
//   - One sequence, from which epochs come.
//
// # What makes a room have one writer
//
// [Store.Acquire] gives a room to an owner under a new epoch, unless another owner that lives has it. Every save names the
// epoch it was made under and is refused with [ErrFenced] if the room has another one by now. So the lease decides only how
// long a room of a dead owner waits; that no stale write ever gets in rests on the epoch alone.
//
//	         Acquire by A                 Acquire by B, A lapsed
//	absent ───────────────▶ A, epoch 7 ─────────────────────────▶ B, epoch 9     a save of A under 7: ErrFenced
//	                          │      ▲
//	            Save, Release ▼      │ Acquire by anybody: a new epoch
//	                        nobody's, epoch 7
//
// Epochs increase, and never repeat, whatever happens to rooms and rows: not after Remove, and not after the store was
// put back from a backup, for a new epoch is never below the wall clock in microseconds since 1970.
//
// # Time
//
// Whether a lease has ended is judged by the store alone, by one clock for all owners: the database's clock, or on a store
// that one machine has to itself the time since boot with the boot's id, which no change of the wall clock moves. An
// owner judges itself from before it sent its last renewal, so it gives up earlier than anybody takes over: takers wait for
// [Margin] beyond the end of a lease. Times at which rooms want to be woken are wall-clock times of the owners.
//
// It imports nothing of ours. Implementations prove themselves with package storetest.
package store
