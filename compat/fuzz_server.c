/*
 * The library against a daemon that sends whatever a fuzzer thinks of. Both are in
 * this process: connect(2) is replaced (ld --wrap), and what the daemon sends lies
 * in the queue of the socket before the library asks.
 *
 * An input is the byte of a case, see LLVMFuzzerTestOneInput, and packets, see
 * send_packet. The process has to be in a network namespace of its own: no ioctl of
 * it reaches the kernel, but /proc/net/arp is read.
 */
#include "fuzz_server.h"
#include "internal.h"
#include "isat_arp.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #what, errno); \
			abort(); \
		} \
	} while (0)

struct seen seen;

static struct {
	const uint8_t *data;
	size_t len;
	enum {
		HANGS_UP = 0, /* when all is sent, and takes requests as before */
		REFUSES = 5,  /* the connection: it is not there */
		CLOSES = 6,   /* the connection, before the first request */
		HANGS = 7,    /* nothing comes any more */
	} end;
	int fd;     /* its end of the connection, -1 for none */
	int gift;   /* a descriptor to send along */
} server = {.fd = -1};

static uint8_t next_byte(void)
{
	if (server.len == 0)
		return 0;
	server.len--;
	return *server.data++;
}

/*
 * Sends the next packet: a byte of what it is like, one of its length, then what is
 * in it. The bits:
 *
 *	0x01  with a sound header, whose errno is 0 unless
 *	0x02  two bytes of errno follow
 *	0x04  a descriptor comes along
 *	0x08  as a struct of zeros of an ioctl, whatever its length
 *	0x10  as lines of that length
 *	0x20  256 times as long
 */
static bool send_packet(void)
{
	static uint8_t packet[2 * MAX_ANSWER];
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {packet, 0};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	uint8_t kind = next_byte();
	struct answer_header header = {.error = 0};
	size_t at = kind & 0x01 ? sizeof(header) : 0, n = next_byte();

	if (kind & 0x02) {
		header.error = next_byte();
		header.error |= (uint32_t)next_byte() << 8;
	}
	if (kind & 0x08) {
		n = n & 1 ? sizeof(struct arpreq) : sizeof(struct xarpreq);
		memset(packet + at, 0, n);
	} else if (kind & 0x10) {
		size_t line = n + 1;
		n *= kind & 0x20 ? 256 : 4;
		for (size_t i = 0; i < n; i++)
			packet[at + i] = i % line == line - 1 || i == n - 1 ? '\n' : 'x';
	} else {
		n = n < server.len ? n : server.len;
		memcpy(packet + at, server.data, n);
		server.data += n;
		server.len -= n;
		for (size_t copy = 1; kind & 0x20 && copy < 256 && at + (copy + 1) * n <= sizeof(packet); copy++)
			memcpy(packet + at + copy * n, packet + at, n);
		n *= kind & 0x20 ? 256 : 1;
		n = n < sizeof(packet) - at ? n : sizeof(packet) - at;
	}
	if (kind & 0x01) {
		memcpy(header.magic, MAGIC, sizeof(header.magic));
		header.len = (uint32_t)n;
		memcpy(packet, &header, sizeof(header));
	}
	part.iov_len = at + n;
	if (kind & 0x04) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		struct cmsghdr *rights = CMSG_FIRSTHDR(&m);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &server.gift, sizeof(int));
	}
	return sendmsg(server.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	int pair[2];

	(void)address;
	(void)len;
	if (server.end == REFUSES) {
		errno = ECONNREFUSED;
		return -1;
	}
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(dup3(pair[0], fd, O_CLOEXEC) == fd);
	close(pair[0]);
	server.fd = pair[1];
	while (server.len > 0 && send_packet())
		continue;
	if (server.end == CLOSES) {
		close(server.fd);
		server.fd = -1;
	} else if (server.end != HANGS) {
		CHECK(shutdown(server.fd, SHUT_WR) == 0);
	}
	return 0;
}

/* In place of the kernel's ioctl. */
static int kernels_calls;

static int kernel(int fd, unsigned long cmd, ...)
{
	(void)fd;
	(void)cmd;
	kernels_calls++;
	errno = ENETUNREACH;
	return -1;
}

/*
 * A struct between bytes that nobody may touch, at the end of a page with none
 * behind it.
 */
static uint8_t *page;
#define PAGE 4096
#define GUARD 0xa5

enum pointer { SOUND, NOWHERE, READ_ONLY, CUT };

static void one_ioctl(unsigned long cmd, enum pointer pointer)
{
	size_t size = cmd <= SIOCSARP ? sizeof(struct arpreq) : sizeof(struct xarpreq);
	bool get = cmd == SIOCGARP || cmd == SIOCGXARP;
	uint8_t *arg = page + PAGE - size;
	int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(socket_fd >= 0);
	memset(page, GUARD, PAGE);
	if (pointer == NOWHERE)
		arg = page + PAGE;
	else if (pointer == CUT)
		arg += size / 2;
	else if (pointer == READ_ONLY)
		CHECK(mprotect(page, PAGE, PROT_READ) == 0);
	errno = 12345;
	kernels_calls = 0;
	int result = request_ioctl(socket_fd, cmd, arg, kernel);
	int error = errno;
	if (pointer == READ_ONLY)
		CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(result == 0 ? error == 12345 : result == -1 && error > 0 && error <= 4095);
	CHECK(result == -1 || pointer == SOUND || (pointer == READ_ONLY && !get));
	CHECK(kernels_calls == 0 || result == -1);
	size_t untouched = get && pointer != READ_ONLY && (result == 0 || error == EFAULT) ? PAGE - size : PAGE;
	for (size_t i = 0; i < untouched; i++)
		CHECK(page[i] == GUARD);
	close(socket_fd);
	seen.done += result == 0 && !get;
	seen.got += result == 0 && get;
	seen.kernels += kernels_calls > 0;
	seen.bad_pointers += result < 0 && error == EFAULT;
	seen.nonsense += result < 0 && error == EPROTO;
	seen.hangups += result < 0 && error == ECONNRESET;
	seen.timeouts += result < 0 && error == ETIMEDOUT;
}

static size_t read_all(int fd, char *to, size_t room)
{
	size_t sum = 0;
	ssize_t n;

	while ((n = read(fd, to + sum, room - sum)) > 0)
		sum += (size_t)n;
	CHECK(n == 0 && sum < room);
	return sum;
}

static void one_table(void)
{
	static char expected[1 << 16], got[1 << 22];
	static size_t kernels; /* nobody else is in the namespace: it is the same always */
	int fd = open("/proc/net/arp", O_RDONLY);

	CHECK(fd >= 0);
	if (kernels == 0) {
		kernels = read_all(fd, expected, sizeof(expected));
		CHECK(kernels > 0 && lseek(fd, 0, SEEK_SET) == 0);
	}
	errno = 12345;
	table_extend(fd);
	CHECK(errno == 12345);
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0);
	size_t n = read_all(fd, got, sizeof(got));
	CHECK(n >= kernels && memcmp(got, expected, kernels) == 0);
	size_t line = 0;
	for (size_t i = kernels; i < n; i++) {
		CHECK(got[i] != '\0');
		line = got[i] == '\n' ? 0 : line + 1;
		CHECK(line < 100);
	}
	CHECK(line == 0);
	close(fd);
	seen.tables += n > kernels;
}

/*
 * Changes when a descriptor more is open than before: tells of the lowest numbers
 * that are free.
 */
static long free_numbers(void)
{
	int fds[6];
	long all = 0;

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		CHECK((fds[i] = dup(0)) >= 0);
		all = 100 * all + fds[i];
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	return all;
}

/*
 * Bits 0 to 2 of the first byte are the ioctl, or the table; bits 3 and 4 the
 * pointer; bits 5 to 7 how the server ends.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const unsigned long commands[] = {SIOCSARP, SIOCGARP, SIOCDARP, SIOCSXARP, SIOCGXARP, SIOCDXARP};

	if (page == NULL) {
		page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(page != MAP_FAILED && mprotect(page + PAGE, PAGE, PROT_NONE) == 0);
		server.gift = open("/dev/null", O_RDONLY | O_CLOEXEC);
		CHECK(server.gift >= 0);
	}
	server.data = data;
	server.len = len;
	uint8_t what = next_byte();
	server.end = what >> 5;
	long before = free_numbers();
	if ((what & 7) < sizeof(commands) / sizeof(commands[0]))
		one_ioctl(commands[what & 7], (enum pointer)(what >> 3 & 3));
	else
		one_table();
	if (server.fd >= 0)
		close(server.fd);
	server.fd = -1;
	CHECK(free_numbers() == before); /* no descriptor has been left open */
	return 0;
}
