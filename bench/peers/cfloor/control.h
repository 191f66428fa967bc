/* control.h: the control port of cfloor: one small HTTP/1.1 request per
 * connection.
 * Part of the single translation unit cfloor.c, which declares what is used. */
#ifndef CFLOOR_CONTROL_H
#define CFLOOR_CONTROL_H

/* respond answers and lets the client close first: what it may still send,
 * the rest of a body too large, is read and forgotten. A close with unread
 * bytes would reset the connection and could take the answer with it. */
static ssize_t respond(int fd, const char *status, const char *body)
{
	char out[1024];
	int n = snprintf(out, sizeof out,
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n", status);
	if (strncmp(status, "204", 3)) /* 204 has neither body nor length */
		n += snprintf(out + n, sizeof out - (size_t)n, "Content-Length: %zu\r\n", strlen(body));
	n += snprintf(out + n, sizeof out - (size_t)n, "\r\n%s", body);
	if (write(fd, out, (size_t)n) != n)
		return conn_close(fd);
	shutdown(fd, SHUT_WR);
	conns[fd].state = ANSWERED;
	return 1;
}

static ssize_t control_info(int fd)
{
	char out[512];
	snprintf(out, sizeof out,
		"{\"name\":\"%s\",\"version\":\"1\",\"echo\":true,\"broadcast\":true,\"compress\":false,"
		"\"threads\":1,\"hello\":0,\"note\":\"C, gcc %s, one epoll thread, broadcast in fd order by %s\"}\n",
		use_ring ? "cfloor-io_uring" : "cfloor", __VERSION__,
		use_ring ? "io_uring, 512 sends per enter" : "write");
	return respond(fd, "200 OK", out);
}

/* on_control handles one request: 0 when it is not whole yet. */
static ssize_t on_control(int fd, uint8_t *p, size_t len)
{
	char out[64];
	size_t vlen, want = 0;
	const uint8_t *end = memmem(p, len, "\r\n\r\n", 4);
	if (!end)
		return len < MAX_HEAD ? 0 : respond(fd, "431 Request Header Fields Too Large", "{}\n");
	size_t head = (size_t)(end - p) + 4;
	const char *v = find_header((char *)p, head, "Content-Length", &vlen);
	for (size_t i = 0; v && i < vlen; i++) {
		if (v[i] < '0' || v[i] > '9')
			return respond(fd, "400 Bad Request", "{}\n");
		want = want * 10 + (size_t)(v[i] - '0');
		if (want > MAX_MESSAGE)
			return respond(fd, "413 Content Too Large", "{}\n");
	}
	if (len < head + want)
		return 0;
	if (!strncmp((char *)p, "POST /broadcast ", 16)) {
		snprintf(out, sizeof out, "{\"sent\":%u}\n", broadcast(p + head, want));
		return respond(fd, "200 OK", out);
	}
	if (!strncmp((char *)p, "GET /conns ", 11)) {
		snprintf(out, sizeof out, "{\"conns\":%u}\n", opened);
		return respond(fd, "200 OK", out);
	}
	if (!strncmp((char *)p, "GET /info ", 10))
		return control_info(fd);
	if (!strncmp((char *)p, "POST /gc ", 9) || !strncmp((char *)p, "GET /debug/pprof/heap", 21))
		return respond(fd, "200 OK", ""); /* there is nothing to collect */
	return respond(fd, "404 Not Found", "{}\n");
}

#endif
