// Package contract declares what passes between the clients of a room and the
// room: typed calls, one-way calls and pushes, their schemas, and coded errors.
package contract
