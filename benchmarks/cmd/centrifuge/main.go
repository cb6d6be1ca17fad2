// Command centrifuge is the best known realtime server library for Go: an RPC handler that gives the bytes back, and
// publications into channels. It validates nothing of them.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"

	"github.com/centrifugal/centrifuge"
	"github.com/gosocka/socka/benchmarks/internal/serve"
)

func main() {
	node, err := centrifuge.New(centrifuge.Config{ClientQueueMaxSize: 64 << 20})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		var in struct{ Room string }
		if err := json.Unmarshal(e.Data, &in); err != nil || in.Room == "" {
			return centrifuge.ConnectReply{}, centrifuge.ErrorBadRequest
		}
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{},
			Subscriptions: map[string]centrifuge.SubscribeOptions{in.Room: {}},
			Storage:       map[string]any{"room": in.Room},
		}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		storage, release := c.AcquireStorage()
		room := storage["room"].(string)
		release(storage)
		c.OnRPC(func(e centrifuge.RPCEvent, answer centrifuge.RPCCallback) {
			answer(centrifuge.RPCReply{Data: e.Data}, nil)
		})
		c.OnMessage(func(e centrifuge.MessageEvent) {
			if _, err := node.Publish(room, e.Data); err != nil {
				c.Disconnect(centrifuge.DisconnectServerError)
			}
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	if err := serve.Run(mux); err != nil {
		log.Fatal(err)
	}
	if err := node.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
