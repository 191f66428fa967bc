// Package dialect is what clients say to a server, without I/O: how they open
// a connection, what they answer, when they are ready, what a delivery looks
// like, and how a message is published. A dialect serves all clients of one
// worker and is called from its loop only; its state per client is small.
//
// What each wants of its server, and what it costs here per client:
//
// # roost
//
// docs/PROTOCOL.md, as JSON or binary, by server/client. Publishing by POST
// /v1/publish. Start it with roostd --auth none, so that it takes devices
// without credentials. 184 bytes and the name; kept messages with an id cost 8
// bytes more each, at most 1,000 of them. That an away names another node is
// not followed: the client dials its own URL.
//
// # plain
//
// Any server that speaks WebSocket and nothing above it: what comes is a
// message. With an API (the control port of bench/peers, or whatever sends the
// body of POST /broadcast to every connection) messages go to all by it; without
// one a client sends them, and whom they reach is the server's choice: to self
// expects an echo, to all a broadcast. No state.
//
// # centrifugo
//
// Centrifugo, and servers on the library Centrifuge, in JSON. There is a channel
// all, one d/NAME for each client and one for each topic. Publishing is by POST
// /api/publish, its key in the API's URL (http://KEY@host:port or ?api_key=KEY),
// or without an API by the clients. In Centrifugo's configuration:
//
//	client.allow_anonymous_connect_without_token: true
//	client.allowed_origins: ["*"]
//	client.channel_limit: as many as a client has, 128 by default
//	channel.without_namespace: {allow_subscribe_for_anonymous: true, allow_subscribe_for_client: true,
//	                            allow_publish_for_anonymous: true, allow_publish_for_client: true}
//
// To self and without an API it has to let clients publish as well. 16 bytes.
//
// # socketio
//
// Socket.IO 3 and 4, over WebSocket alone, without binary events. Two handlers
// are needed:
//
//	io.on("connection", (s) => {
//	  s.on("join", ({ name, topics }, done) => { s.join(["d/" + name, ...topics.map((t) => "t/" + t)]); done(); });
//	  s.on("publish", ({ to, name, data }) =>
//	    (to === "all" ? io : to === "self" ? s : io.to((to === "topic" ? "t/" : "d/") + name)).emit("msg", data));
//	});
//
// Clients say join only if there are messages to topics or devices. 16 bytes.
//
// # mqtt
//
// A broker for MQTT 3.1.1 with a WebSocket listener that takes clients without a
// password; the path is /mqtt unless the URL has one. Messages go to the topics
// all, d/NAME, and to topics as they are named. A live message is of QoS 0, a
// kept one of QoS 1 (clients that resume have persistent sessions), a latest one
// is retained. For Mosquitto:
//
//	listener 8080 127.0.0.1
//	protocol websockets
//	allow_anonymous true
//	max_queued_messages 0
//
// (2.0.11 does not start with that alone: it wants a second listener, of any
// kind.) 16 bytes; a packet that frames cut is kept until it is complete, 1 MiB at most.
package dialect
