// Package load makes the load: WebSocket connections that speak each contender's protocol as far as the scenarios need it,
// and the scenarios. It is lean, because it shares the machine with the server that it measures: frames are cut by hand
// out of large reads, what is sent together is written together, and an answer is looked at no closer than to know that
// it is one.
package load
