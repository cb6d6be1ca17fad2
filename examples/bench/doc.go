// Package bench is a room to measure servers with: one call that answers what it
// was given, and one that tells everybody.
//
//	socka bench server                                  serves it, see cmd/socka
//	socka bench calls ws://localhost:3451/bench/load    measures it
//
// Both calls are validated on the way in and out and run through typed handlers,
// as those of an application are, so that the figures are those of a real room
// whose handlers do nothing. A program that wants to be measured as it is
// deployed, behind its own proxy and limits, may serve [Definition] beside its own
// rooms.
//
// It may import contract and room.
package bench
