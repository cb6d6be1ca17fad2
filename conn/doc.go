// Package conn holds WebSocket connections and the gateway of a node.
package conn
