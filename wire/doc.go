// Package wire reads and writes the messages of the socka v1 protocol, in JSON and in msgpack.
package wire
