/* http.h: just enough HTTP/1.1 for the floor: header look-up, the WebSocket
 * accept key (SHA-1, base64) and the check of an upgrade request.
 * Part of the single translation unit cfloor.c. */
#ifndef CFLOOR_HTTP_H
#define CFLOOR_HTTP_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static uint32_t rol32(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rol32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t f, k;
		if (i < 20)
			f = (b & c) | (~b & d), k = 0x5a827999;
		else if (i < 40)
			f = b ^ c ^ d, k = 0x6ed9eba1;
		else if (i < 60)
			f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
		else
			f = b ^ c ^ d, k = 0xca62c1d6;
		uint32_t t = rol32(a, 5) + f + e + k + w[i];
		e = d, d = c, c = rol32(b, 30), b = a, a = t;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* sha1_60 hashes exactly 60 bytes, the length of key + GUID: two blocks, since
 * the padding needs nine bytes more than the first one has left. */
static void sha1_60(const uint8_t *msg, uint8_t out[20])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint8_t block[128] = {0};
	memcpy(block, msg, 60);
	block[60] = 0x80;
	block[126] = 480 >> 8; /* length in bits, big endian */
	block[127] = 480 & 0xff;
	sha1_block(h, block);
	sha1_block(h, block + 64);
	for (int i = 0; i < 20; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* accept_key writes the 28 characters of Sec-WebSocket-Accept for a 24
 * character key. */
static void accept_key(const char *key, char out[28])
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t msg[60], d[21] = {0};
	memcpy(msg, key, 24);
	memcpy(msg + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	sha1_60(msg, d);
	for (int i = 0; i < 7; i++) {
		uint32_t v = (uint32_t)d[3 * i] << 16 | (uint32_t)d[3 * i + 1] << 8 | d[3 * i + 2];
		for (int j = 0; j < 4; j++)
			out[4 * i + j] = abc[v >> (18 - 6 * j) & 63];
	}
	out[27] = '='; /* 20 bytes leave one pad character */
}

/* find_header returns the value of a header (trimmed) or NULL. head ends with
 * the empty line; *len receives the length of the value. */
static const char *find_header(const char *head, size_t n, const char *name, size_t *len)
{
	size_t nlen = strlen(name);
	const char *end = head + n, *p = memchr(head, '\n', n);
	while (p && ++p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			break;
		if ((size_t)(eol - p) > nlen && p[nlen] == ':' && !strncasecmp(p, name, nlen)) {
			const char *v = p + nlen + 1, *e = eol;
			while (v < e && (*v == ' ' || *v == '\t'))
				v++;
			while (e > v && (e[-1] == '\r' || e[-1] == ' ' || e[-1] == '\t'))
				e--;
			*len = (size_t)(e - v);
			return v;
		}
		p = eol;
	}
	return NULL;
}

/* has_token looks for one element of a comma separated header value. */
static int has_token(const char *v, size_t n, const char *token)
{
	size_t tlen = strlen(token), i = 0;
	while (i < n) {
		while (i < n && (v[i] == ' ' || v[i] == ',' || v[i] == '\t'))
			i++;
		size_t from = i;
		while (i < n && v[i] != ',' && v[i] != ' ' && v[i] != '\t')
			i++;
		if (i - from == tlen && !strncasecmp(v + from, token, tlen))
			return 1;
	}
	return 0;
}

/* upgrade_response checks an upgrade request and writes the 101 into out.
 * It returns the length, or 0 when the request is not a valid upgrade. */
static size_t upgrade_response(const char *head, size_t n, char *out, size_t cap)
{
	size_t len;
	const char *v, *eol = memchr(head, '\n', n);
	if (!eol || n < 14 || strncmp(head, "GET ", 4) || eol - head < 14 || strncmp(eol - 10, " HTTP/1.1\r", 10))
		return 0;
	if (!find_header(head, n, "Host", &len))
		return 0;
	v = find_header(head, n, "Upgrade", &len);
	if (!v || !has_token(v, len, "websocket"))
		return 0;
	v = find_header(head, n, "Connection", &len);
	if (!v || !has_token(v, len, "upgrade"))
		return 0;
	v = find_header(head, n, "Sec-WebSocket-Version", &len);
	if (!v || len != 2 || memcmp(v, "13", 2))
		return 0;
	v = find_header(head, n, "Sec-WebSocket-Key", &len);
	if (!v || len != 24 || v[22] != '=' || v[23] != '=')
		return 0;
	char accept[28];
	accept_key(v, accept);
	return (size_t)snprintf(out, cap,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %.28s\r\n\r\n", accept);
}

#endif
