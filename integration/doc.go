// Package integration holds the tests that need real parts together: servers on loopback sockets (TCP, TLS, deflate) and
// pipes, clients of several kinds, and the repository as a whole. It has no code of its own and may import everything;
// nothing imports it.
//
// One file shows one promise: order, slow consumers, refusals, the wire's vectors, the life of rooms, transports, and the
// rules of this repository.
//
// # Invariants of these tests
//
//   - Nothing depends on how long anything takes. Only eventually waits, for a condition; its deadline ends a test that
//     would hang, and is never part of what is tested.
//   - Every server is shut down by its test, and no goroutine of the library may be left then.
//   - The tests of a package run one after the other, since some look at the process's heap and goroutines.
//
// The environment variable SOCKA_LONG=1 makes the tests of order run with their full load instead of a tenth, and adds a room of
// 1,000 members to that of the stalled reader.
package integration
