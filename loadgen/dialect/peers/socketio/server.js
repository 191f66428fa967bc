// A server of the socketio dialect, for tests. It says its address on stdout,
// and ends with its stdin. The two handlers are all that any server needs.
const { Server } = require("socket.io");
const http = require("http").createServer();
const io = new Server(http, { pingInterval: Number(process.argv[2] || 25000), pingTimeout: 20000 });

io.on("connection", (s) => {
  s.on("join", ({ name, topics }, done) => { s.join(["d/" + name, ...topics.map((t) => "t/" + t)]); done(); });
  s.on("publish", ({ to, name, data }) =>
    (to === "all" ? io : to === "self" ? s : io.to((to === "topic" ? "t/" : "d/") + name)).emit("msg", data));
  s.on("ask", () => s.emit("msg", "wants an answer", () => s.emit("msg", "has it")));
});
http.on("request", (req, res) => { if (req.url === "/stop") { io.disconnectSockets(true); res.end(); } });
http.listen(0, "127.0.0.1", () => console.log("127.0.0.1:" + http.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
