package main

import (
	"context"

	"roost/loadgen/coord"
	"roost/loadgen/listen"
)

// runListen is loadgen listen.
func runListen(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("listen", "[--url URL] [--device ID] [--topic NAME]",
		"Be one device of a roost and print what it gets, a JSON object a line, until\nctrl-C. It acknowledges what it has printed, and comes back when it is cut off.")
	var o listen.Options
	f.StringVar(&o.URL, "url", "ws://127.0.0.1:8080/v1/connect", "`URL` to connect to; a device in its query counts")
	f.StringVar(&o.Device, "device", "", "its `id` (default listener)")
	f.StringVar(&o.Topic, "topic", "", "`name` of a topic to subscribe to")
	format := f.String("format", "json", "json or bin: the `form` of the protocol")
	rest, err := f.parse(args, t.out)
	switch {
	case err != nil:
		return 0, err
	case len(rest) > 0:
		return 0, mistake("unexpected argument %q: listen takes flags only", rest[0])
	case *format != "json" && *format != "bin":
		return 0, mistake("--format %q: want json or bin", *format)
	}
	o.Binary = *format == "bin"
	l, err := listen.New(o, t.out, t.errout)
	if err != nil {
		return 0, mistake("%w", err)
	}
	return 0, l.Run(ctx)
}
