// Package integration holds the tests that need real parts together: servers on loopback sockets (TCP, TLS, deflate) and
// pipes, clients of several kinds, and the repository as a whole. It has no code of its own and may import everything;
// nothing imports it.
//
// One file shows one promise: order, slow consumers, refusals, the wire's vectors, the life of rooms, transports, and the
// rules of this repository.
//
// # Processes that are killed
//
// The files _linux_test.go show what is kept when a process dies, with servers in processes of their own: this test binary
// again, which is a server if the environment says so (see TestMain). Clients write to rooms that remember every write, and
// note what they are told; what is read of the rooms afterwards is compared with that.
//
//	writers ─▶ story: what was told ──┐
//	   │                              ├─▶ judge: lost, twice, changed, out of order, refused and yet there
//	   └─▶ process, killed ─▶ page ───┘
//
// They need Postgres's binaries and strace (on Debian: postgresql, strace), and the disk that is full needs the right to mount
// one; without them these tests are skipped.
//
// # Invariants of these tests
//
//   - Nothing depends on how long anything takes. Only eventually waits, for a condition; its deadline ends a test that
//     would hang, and is never part of what is tested. Where processes are killed real time sets the moments and the pace;
//     of what is tested only the interval of Every is a time, with a slack that is stated there.
//   - Every server is shut down by its test, and no goroutine of the library may be left then. Every process ends with its
//     test, and with the test binary, whatever ends that.
//   - The tests of a package run one after the other, since some look at the process's heap and goroutines.
//
// The environment variable SOCKA_LONG=1 makes the tests of order run with their full load instead of a tenth, and adds a room of
// 1,000 members to that of the stalled reader; processes are killed 100 times instead of 20, and stores are away for 10 s instead
// of 3.
package integration
