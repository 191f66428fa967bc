/* uring.h: one io_uring used only to send one buffer to many sockets, by raw
 * system calls. Part of the single translation unit cfloor.c.
 *
 * A send with MSG_DONTWAIT completes inside io_uring_enter, so there is
 * nothing to wait for and the buffer may be reused at once. Successes post no
 * completion (CQE_SKIP_SUCCESS); that is only safe together with MSG_WAITALL,
 * without which a short send counts as a success and its rest is lost. */
#ifndef CFLOOR_URING_H
#define CFLOOR_URING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RING_BATCH = 512, RING_CQ = 1024 };

static struct {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array;
	unsigned *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned queued;
} ring = {.fd = -1};

static void *ring_map(size_t len, off_t what)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, what);
}

/* ring_open returns 0 or a negative errno. */
static int ring_open(void)
{
	struct io_uring_params p;
	memset(&p, 0, sizeof p);
	p.flags = IORING_SETUP_CQSIZE;
	p.cq_entries = RING_CQ;
	ring.fd = (int)syscall(SYS_io_uring_setup, RING_BATCH, &p);
	if (ring.fd < 0)
		return -errno;
	if (!(p.features & IORING_FEAT_CQE_SKIP))
		return -ENOSYS;
	char *sq = ring_map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	char *cq = ring_map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	ring.sqes = ring_map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || ring.sqes == MAP_FAILED)
		return -ENOMEM;
	ring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
	ring.cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return 0;
}

/* ring_queue puts one send into the submission ring; the caller flushes it
 * once RING_BATCH sends are queued. All 64 bytes are written, so that nothing
 * of an earlier batch stays behind. */
static void ring_queue(int fd, const void *buf, unsigned len)
{
	unsigned tail = *ring.sq_tail + ring.queued, at = tail & *ring.sq_mask;
	struct io_uring_sqe *s = &ring.sqes[at];
	memset(s, 0, sizeof *s);
	s->opcode = IORING_OP_SEND;
	s->flags = IOSQE_CQE_SKIP_SUCCESS;
	s->fd = fd;
	s->addr = (uint64_t)(uintptr_t)buf;
	s->len = len;
	s->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL;
	s->user_data = (uint64_t)fd;
	ring.sq_array[at] = at;
	ring.queued++;
}

/* ring_flush submits all queued sends and calls failed(fd, res) for each that
 * did not take the whole buffer: res is a negative errno or the short count.
 * It returns how many those were. */
static unsigned ring_flush(void (*failed)(int fd, int res))
{
	unsigned left = ring.queued, bad = 0;
	__atomic_store_n(ring.sq_tail, *ring.sq_tail + left, __ATOMIC_RELEASE);
	ring.queued = 0;
	while (left) {
		long n = syscall(SYS_io_uring_enter, ring.fd, left, 0, 0, NULL, 0);
		if (n > 0)
			left -= (unsigned)n;
		else if (n < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY)
			_exit(1); /* the ring itself is broken: no honest figure can follow */
		unsigned head = *ring.cq_head;
		while (head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE)) {
			struct io_uring_cqe c = ring.cqes[head & *ring.cq_mask];
			__atomic_store_n(ring.cq_head, ++head, __ATOMIC_RELEASE);
			failed((int)c.user_data, c.res);
			bad++;
		}
	}
	return bad;
}

static int selftest_res;

static void selftest_failed(int fd, int res)
{
	(void)fd;
	selftest_res = res;
}

/* ring_selftest sends more than a loopback pair can hold and reports whether
 * the kernel owned up to the partial count. */
static int ring_selftest(void)
{
	static char big[16 << 20];
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	int l = socket(AF_INET, SOCK_STREAM, 0), from = socket(AF_INET, SOCK_STREAM, 0), to = -1;
	if (l >= 0 && from >= 0 && !bind(l, (struct sockaddr *)&sa, len) && !listen(l, 1) &&
	    !getsockname(l, (struct sockaddr *)&sa, &len) && !connect(from, (struct sockaddr *)&sa, len))
		to = accept(l, NULL, NULL);
	if (to >= 0) {
		ring_queue(from, big, sizeof big);
		ring_flush(selftest_failed);
	}
	close(l), close(from), close(to);
	return selftest_res > 0 && selftest_res < (int)sizeof big;
}

#endif
