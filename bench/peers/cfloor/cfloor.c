/* cfloor: the floor of the side-by-side benches. A WebSocket echo and
 * broadcast server that does nothing but what the kernel demands: one thread,
 * level-triggered epoll, one shared read buffer, one write per frame.
 *
 *   cfloor --listen 127.0.0.1:PORT --control 127.0.0.1:PORT [--io-uring]
 *
 * A connection is a 32 byte entry in a table indexed by its descriptor; heap
 * is used only while a frame is partial, a message fragmented or the socket
 * full. All of it is bounded: see MAX_MESSAGE and BACKLOG_MAX. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "http.h"
#include "uring.h"

enum {
	MAX_MESSAGE = 64 << 10,  /* payload of one message, fragments together */
	MAX_HEAD = 8 << 10,      /* HTTP request head */
	MAX_HEADER = 14,         /* WebSocket frame header with mask */
	BACKLOG_MAX = 256 << 10, /* unsent bytes above which broadcasts are dropped */
	RESERVED = 16,           /* descriptors kept for the control port */
	USER_TIMEOUT_MS = 5000,  /* a peer that takes nothing for so long is reset */
};

/* FREE -> HTTP -> OPEN -> (CLOSING while a close frame waits) -> FREE;
 * FREE -> CONTROL -> ANSWERED -> FREE for the one request of a control
 * connection. CLOSING and ANSWERED ignore what still comes in. */
enum { FREE, HTTP, OPEN, CLOSING, CONTROL, ANSWERED };

struct buf {
	uint32_t off, len, cap;
	uint8_t data[];
};

struct conn {
	struct buf *in;  /* partial frame or request */
	struct buf *out; /* what the socket did not take; while set, reading pauses */
	struct buf *msg; /* payload of a fragmented message, behind MAX_HEADER spare bytes */
	uint8_t state, msg_op;
};

static struct {
	int fd, first_state, paused;
} listeners[2];

static struct conn *conns;
static int ep, fd_limit, max_fd, use_ring;
static unsigned opened;
static uint8_t rbuf[64 << 10];

/* The frame of the broadcast under way and how many did not get it. */
static const uint8_t *bframe;
static size_t bframe_len;
static unsigned bframe_lost;

static void die(const char *what)
{
	fprintf(stderr, "cfloor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int buf_append(struct buf **b, const void *p, size_t n)
{
	size_t len = *b ? (*b)->len : 0, cap = *b ? (*b)->cap : 0;
	if (len + n > cap) {
		size_t grown = cap * 2 > len + n ? cap * 2 : len + n;
		struct buf *nb = realloc(*b, sizeof *nb + grown);
		if (!nb)
			return -1;
		if (!*b)
			nb->off = nb->len = 0;
		nb->cap = (uint32_t)grown;
		*b = nb;
	}
	memcpy((*b)->data + len, p, n);
	(*b)->len = (uint32_t)(len + n);
	return 0;
}

static void buf_free(struct buf **b)
{
	free(*b);
	*b = NULL;
}

static void interest(int fd, int how, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};
	if (epoll_ctl(ep, how, fd, &ev) < 0 && how == EPOLL_CTL_ADD)
		die("epoll_ctl");
}

/* conn_close returns -1 so that a handler can end with it. */
static int conn_close(int fd)
{
	struct conn *c = &conns[fd];
	if (c->state == OPEN || c->state == CLOSING)
		opened--;
	buf_free(&c->in);
	buf_free(&c->out);
	buf_free(&c->msg);
	c->state = FREE;
	close(fd);
	for (int i = 0; i < 2; i++) /* a descriptor is free again: accept goes on */
		if (listeners[i].paused) {
			listeners[i].paused = 0;
			interest(listeners[i].fd, EPOLL_CTL_ADD, EPOLLIN);
		}
	return -1;
}

/* conn_queue keeps bytes until the socket takes them: 1 kept, 0 dropped
 * because the backlog is full, -1 closed. */
static int conn_queue(int fd, const uint8_t *p, size_t n, size_t limit)
{
	struct conn *c = &conns[fd];
	int first = !c->out;
	if (!first && c->out->len - c->out->off + n > limit)
		return 0;
	if (!first && c->out->off) { /* drop what is sent, so that the bound holds */
		c->out->len -= c->out->off;
		memmove(c->out->data, c->out->data + c->out->off, c->out->len);
		c->out->off = 0;
	}
	if (buf_append(&c->out, p, n) < 0)
		return conn_close(fd);
	if (first)
		interest(fd, EPOLL_CTL_MOD, EPOLLOUT);
	return 1;
}

/* conn_send writes or queues a whole frame: 1 taken, 0 dropped, -1 closed. */
static int conn_send(int fd, const uint8_t *p, size_t n, size_t limit)
{
	if (conns[fd].out)
		return conn_queue(fd, p, n, limit);
	ssize_t w = write(fd, p, n);
	if (w == (ssize_t)n)
		return 1;
	if (w < 0 && errno != EAGAIN && errno != EINTR)
		return conn_close(fd);
	size_t done = w < 0 ? 0 : (size_t)w;
	return conn_queue(fd, p + done, n - done, limit);
}

static void conn_flush(int fd)
{
	struct conn *c = &conns[fd];
	ssize_t w = write(fd, c->out->data + c->out->off, c->out->len - c->out->off);
	if (w < 0) {
		if (errno != EAGAIN && errno != EINTR)
			conn_close(fd);
		return;
	}
	c->out->off += (uint32_t)w;
	if (c->out->off < c->out->len)
		return;
	buf_free(&c->out);
	if (c->state == CLOSING)
		conn_close(fd);
	else
		interest(fd, EPOLL_CTL_MOD, EPOLLIN);
}

#include "frames.h"

/* on_http answers the upgrade request at the start of a connection. */
static ssize_t on_http(int fd, uint8_t *p, size_t len)
{
	static const char bad[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	char out[256];
	const uint8_t *end = memmem(p, len, "\r\n\r\n", 4);
	if (!end && len < MAX_HEAD)
		return 0;
	size_t head = end ? (size_t)(end - p) + 4 : 0;
	size_t n = end ? upgrade_response((char *)p, head, out, sizeof out) : 0;
	if (!n) {
		conn_send(fd, (const uint8_t *)bad, sizeof bad - 1, SIZE_MAX);
		return conns[fd].state == FREE ? -1 : conn_close(fd);
	}
	if (conn_send(fd, (uint8_t *)out, n, SIZE_MAX) < 0)
		return -1;
	conns[fd].state = OPEN;
	opened++;
	return (ssize_t)head;
}

static void broadcast_failed(int fd, int res)
{
	int r = -1;
	if (res >= 0)
		r = conn_queue(fd, bframe + res, bframe_len - (size_t)res, BACKLOG_MAX);
	else if (res == -EAGAIN)
		r = conn_queue(fd, bframe, bframe_len, BACKLOG_MAX);
	else
		conn_close(fd);
	bframe_lost += r != 1;
}

/* broadcast walks the descriptors upwards, which is the order in which the
 * kernel laid out the sockets: random order costs 15 % more. */
static unsigned broadcast(const uint8_t *payload, size_t n)
{
	unsigned sent = 0;
	static uint8_t frame[MAX_HEADER + MAX_MESSAGE];
	memcpy(frame + MAX_HEADER, payload, n);
	bframe = frame_start(frame + MAX_HEADER, OP_TEXT, n);
	bframe_len = (size_t)(frame + MAX_HEADER - bframe) + n;
	bframe_lost = 0;
	for (int fd = 0; fd <= max_fd; fd++) {
		if (conns[fd].state != OPEN)
			continue;
		if (!use_ring || conns[fd].out) {
			sent += conn_send(fd, bframe, bframe_len, BACKLOG_MAX) == 1;
			continue;
		}
		sent++;
		ring_queue(fd, bframe, (unsigned)bframe_len);
		if (ring.queued == RING_BATCH)
			ring_flush(broadcast_failed);
	}
	if (use_ring)
		ring_flush(broadcast_failed);
	return sent - bframe_lost;
}

#include "control.h"

/* conn_input reads once and handles every whole frame or request in it. What
 * is left over waits in c->in, which exists only for that. */
static void conn_input(int fd)
{
	struct conn *c = &conns[fd];
	ssize_t got = read(fd, rbuf, sizeof rbuf);
	if (got <= 0) {
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			conn_close(fd);
		return;
	}
	uint8_t *p = rbuf;
	size_t len = (size_t)got, at = 0;
	if (c->in) {
		if (buf_append(&c->in, rbuf, len) < 0) {
			conn_close(fd);
			return;
		}
		p = c->in->data, len = c->in->len;
	}
	while (at < len) {
		ssize_t n = (ssize_t)(len - at);
		if (c->state == OPEN)
			n = on_frame(fd, p + at, len - at);
		else if (c->state == HTTP)
			n = on_http(fd, p + at, len - at);
		else if (c->state == CONTROL)
			n = on_control(fd, p + at, len - at);
		if (n < 0)
			return; /* closed: c->in is gone as well */
		if (n == 0)
			break;
		at += (size_t)n;
	}
	if (at == len) {
		buf_free(&c->in);
	} else if (c->in) {
		memmove(p, p + at, len - at);
		c->in->len = (uint32_t)(len - at);
	} else if (buf_append(&c->in, p + at, len - at) < 0) {
		conn_close(fd);
	}
}

/* pause_accept leaves new connections in the kernel's queue until the next
 * conn_close; a level-triggered listener would make the loop spin. */
static void pause_accept(int i)
{
	listeners[i].paused = 1;
	epoll_ctl(ep, EPOLL_CTL_DEL, listeners[i].fd, NULL);
}

static void accept_all(int i)
{
	for (;;) {
		int fd = accept4(listeners[i].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE)
				pause_accept(i);
			if (errno == ECONNABORTED || errno == EINTR)
				continue;
			return;
		}
		conns[fd].state = (uint8_t)listeners[i].first_state;
		if (fd > max_fd)
			max_fd = fd;
		interest(fd, EPOLL_CTL_ADD, EPOLLIN);
		if (fd >= fd_limit - (i == 0 ? RESERVED : 1)) {
			pause_accept(i);
			return;
		}
	}
}

/* listen_on opens a listener. TCP_NODELAY and TCP_USER_TIMEOUT are inherited
 * by the accepted sockets, which saves two system calls per connection. */
static int listen_on(const char *addr)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	char host[64];
	int port, one = 1, timeout = USER_TIMEOUT_MS;
	if (!addr || sscanf(addr, "%63[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &sa.sin_addr) != 1) {
		fprintf(stderr, "usage: cfloor --listen HOST:PORT --control HOST:PORT [--io-uring]\n");
		exit(2);
	}
	sa.sin_port = htons((uint16_t)port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, SOMAXCONN) < 0)
		die(addr);
	interest(fd, EPOLL_CTL_ADD, EPOLLIN);
	return fd;
}

static void loop(void)
{
	struct epoll_event ev[512];
	for (;;) {
		int n = epoll_wait(ep, ev, 512, -1);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;
			if (fd == listeners[0].fd)
				accept_all(0);
			else if (fd == listeners[1].fd)
				accept_all(1);
			/* An event may be older than its descriptor's reuse. It then costs
			 * one read or write that answers EAGAIN, because errors are taken
			 * from the calls and never from the event. */
			else if (conns[fd].out)
				conn_flush(fd);
			else if (conns[fd].state != FREE)
				conn_input(fd);
		}
	}
}

static void on_term(int sig)
{
	(void)sig;
	_exit(0);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {{"listen", 1, 0, 'l'}, {"control", 1, 0, 'c'}, {"io-uring", 0, 0, 'u'}, {0, 0, 0, 0}};
	const char *data = NULL, *control = NULL;
	for (int o; (o = getopt_long(argc, argv, "", opts, NULL)) != -1;) {
		if (o == 'l')
			data = optarg;
		else if (o == 'c')
			control = optarg;
		else if (o == 'u')
			use_ring = 1;
		else
			return 2;
	}
	struct rlimit rl;
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		die("getrlimit");
	fd_limit = rl.rlim_cur < 1 << 20 ? (int)rl.rlim_cur : 1 << 20;
	conns = calloc((size_t)fd_limit, sizeof *conns); /* untouched pages cost nothing */
	if (!conns)
		die("calloc");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_term);
	signal(SIGINT, on_term);
	if (use_ring && (errno = -ring_open())) {
		perror("cfloor: io_uring unavailable");
		return 3; /* no silent fallback: the row must mean what it says */
	}
	if (use_ring && !ring_selftest()) {
		fputs("cfloor: this kernel hides short sends on io_uring\n", stderr);
		return 3;
	}
	ep = epoll_create1(EPOLL_CLOEXEC);
	listeners[0].fd = listen_on(data), listeners[0].first_state = HTTP;
	listeners[1].fd = listen_on(control), listeners[1].first_state = CONTROL;
	puts("ready");
	fflush(stdout);
	loop();
}
