/* frames.h: RFC 6455 framing of cfloor: parse, unmask and answer in place.
 * Part of the single translation unit cfloor.c, which declares what is used. */
#ifndef CFLOOR_FRAMES_H
#define CFLOOR_FRAMES_H

enum { OP_CONT = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/* frame_start writes the header of a final server frame so that it ends where
 * the payload begins, and returns where the frame starts. A client's header
 * is always four bytes (the mask) longer, so an echo needs no copy. */
static uint8_t *frame_start(uint8_t *payload, int op, size_t n)
{
	uint8_t *h = payload - (n < 126 ? 2 : n < 65536 ? 4 : 10);
	h[0] = (uint8_t)(0x80 | op);
	if (n < 126) {
		h[1] = (uint8_t)n;
	} else if (n < 65536) {
		h[1] = 126, h[2] = (uint8_t)(n >> 8), h[3] = (uint8_t)n;
	} else {
		h[1] = 127;
		for (int i = 0; i < 8; i++)
			h[2 + i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	}
	return h;
}

/* reply sends a frame in answer to the client. It is never dropped: while
 * anything waits the client is not read, so that at most the replies to one
 * read are on top of the backlog. */
static int reply(int fd, int op, uint8_t *payload, size_t n)
{
	uint8_t *h = frame_start(payload, op, n);
	return conn_send(fd, h, (size_t)(payload - h) + n, SIZE_MAX);
}

/* finish sends the close frame and ends the connection, at once unless
 * something still waits. It returns what a handler returns: -1 or all bytes. */
static ssize_t finish(int fd, uint8_t *payload, size_t n, size_t all)
{
	if (reply(fd, OP_CLOSE, payload, n) < 0)
		return -1;
	if (!conns[fd].out)
		return conn_close(fd);
	conns[fd].state = CLOSING;
	return (ssize_t)all;
}

static ssize_t fail(int fd, int code, size_t all)
{
	uint8_t f[MAX_HEADER + 2];
	f[MAX_HEADER] = (uint8_t)(code >> 8), f[MAX_HEADER + 1] = (uint8_t)code;
	return finish(fd, f + MAX_HEADER, 2, all);
}

static void unmask(uint8_t *p, size_t n, const uint8_t mask[4])
{
	uint64_t m, v;
	memcpy(&m, mask, 4);
	memcpy((uint8_t *)&m + 4, mask, 4);
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		memcpy(&v, p + i, 8);
		v ^= m;
		memcpy(p + i, &v, 8);
	}
	for (; i < n; i++)
		p[i] ^= mask[i & 3];
}

/* on_fragment gathers a fragmented message; it goes back as one frame, since
 * a broadcast may fall between its fragments. */
static int on_fragment(int fd, int fin, int op, uint8_t *payload, size_t n)
{
	static const uint8_t spare[MAX_HEADER];
	struct conn *c = &conns[fd];
	if (op != OP_CONT) {
		c->msg_op = (uint8_t)op;
		if (buf_append(&c->msg, spare, sizeof spare) < 0)
			return conn_close(fd);
	}
	if (buf_append(&c->msg, payload, n) < 0)
		return conn_close(fd);
	if (!fin)
		return 1;
	int r = reply(fd, c->msg_op, c->msg->data + MAX_HEADER, c->msg->len - MAX_HEADER);
	if (r >= 0)
		buf_free(&c->msg);
	return r;
}

/* on_frame handles the frame at p: the bytes used, 0 when it is not whole yet,
 * -1 when the connection is gone. */
static ssize_t on_frame(int fd, uint8_t *p, size_t len)
{
	struct conn *c = &conns[fd];
	if (len < 2)
		return 0;
	int fin = p[0] >> 7, op = p[0] & 15, control = op >= OP_CLOSE;
	size_t n = p[1] & 127, head = 6;
	if (p[0] & 0x70 || !(p[1] & 0x80) || (op > OP_BINARY && op < OP_CLOSE) || op > OP_PONG ||
	    (control && (!fin || n > 125)) || (!control && (op == OP_CONT) != !!c->msg))
		return fail(fd, 1002, len);
	if (n == 126) {
		if (len < 4)
			return 0;
		n = (size_t)p[2] << 8 | p[3], head = 8;
	} else if (n == 127) {
		if (len < 10)
			return 0;
		for (int i = n = 0; i < 8; i++)
			n = n << 8 | p[2 + i];
		head = 14;
	}
	if (n > MAX_MESSAGE || (c->msg && !control && c->msg->len - MAX_HEADER + n > MAX_MESSAGE))
		return fail(fd, 1009, len);
	if (len < head + n)
		return 0;
	uint8_t *payload = p + head;
	unmask(payload, n, payload - 4);

	int r = 1;
	if (op == OP_CLOSE)
		return finish(fd, payload, n, len);
	else if (op == OP_PING)
		r = reply(fd, OP_PONG, payload, n);
	else if (!control && (!fin || op == OP_CONT))
		r = on_fragment(fd, fin, op, payload, n);
	else if (!control)
		r = reply(fd, op, payload, n);
	return r < 0 ? -1 : (ssize_t)(head + n);
}

#endif
