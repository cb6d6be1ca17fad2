package wire_test

import (
	"errors"
	"fmt"

	"github.com/gosocka/socka/wire"
)

func ExampleDecode() {
	fr, err := wire.Decode(wire.JSON, []byte(`{"socka":"clientRequest","v":1,"id":"echo-1","rpc":"echo","body":{"text":"hi"}}`))
	fmt.Println(fr.Kind, fr.ID, fr.RPC, string(fr.Body), err)

	// A request without a body: its caller waits, so it is answered.
	_, err = wire.Decode(wire.JSON, []byte(`{"socka":"clientRequest","v":1,"id":"echo-2","rpc":"echo"}`))
	var bad *wire.MalformedError
	if errors.As(err, &bad) && bad.HasID {
		fmt.Println(string(wire.AppendError(nil, wire.JSON, wire.ErrorFrame{ID: bad.ID, RPC: bad.RPC, Error: bad.Reason})))
	}
	// Output:
	// clientRequest echo-1 echo {"text":"hi"} <nil>
	// {"socka":"serverError","v":1,"id":"echo-2","error":"clientRequest needs an object in field \"body\"","rpc":"echo"}
}

func ExampleAppendEvent() {
	body := []byte(`{"msg":"all"}`)
	fmt.Printf("%s\n", wire.AppendEvent(nil, wire.JSON, "notify", body))

	body, err := wire.Transcode(nil, wire.Msgpack, wire.JSON, body)
	fmt.Printf("%x %v\n", wire.AppendEvent(nil, wire.Msgpack, "notify", body), err)
	// Output:
	// {"socka":"serverEvent","v":1,"event":"notify","body":{"msg":"all"}}
	// de0004a5736f636b61ab7365727665724576656e74a17601a56576656e74a66e6f74696679a4626f6479de0001a36d7367a3616c6c <nil>
}

func ExampleParse() {
	tree, err := wire.Parse(wire.JSON, []byte(`{"n":[1.0,1e2,0.1]}`))
	fmt.Println(tree, err)
	_, err = wire.Parse(wire.JSON, []byte(`{"users":[{"name":"a","name":"b"}]}`))
	fmt.Println(err)
	// Output:
	// map[n:[1 100 0.1]] <nil>
	// users[0]: repeated key "name"
}
