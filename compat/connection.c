#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* asm-generic/socket.h; Linux 5.14 */
#endif

/* The greatest errno (linux/err.h, MAX_ERRNO). */
#define MAX_ERRNO 4095

static struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/isat/ioctl.sock"};

void connection_path(const char *http)
{
	static const char name[] = "ioctl.sock";

	if (http == NULL || http[0] == '\0')
		return;
	const char *slash = strrchr(http, '/');
	size_t directory = slash == NULL ? 0 : (size_t)(slash + 1 - http);
	/* The daemon cannot listen where the path has no room. */
	if (directory + sizeof(name) > sizeof(address.sun_path)) {
		strcpy(address.sun_path, "/dev/null"); /* where nobody listens */
		return;
	}
	memcpy(address.sun_path, http, directory);
	memcpy(address.sun_path + directory, name, sizeof(name));
}

/*
 * Lets the next system call wait until the deadline and no longer: also one that is
 * repeated after a signal.
 */
static int limit(const struct connection *c)
{
	struct timespec now;
	struct timeval left;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return errno;
	left.tv_sec = c->deadline.tv_sec - now.tv_sec;
	left.tv_usec = (c->deadline.tv_nsec - now.tv_nsec) / 1000;
	if (left.tv_usec < 0) {
		left.tv_sec--;
		left.tv_usec += 1000000;
	}
	if (left.tv_sec < 0 || (left.tv_sec == 0 && left.tv_usec == 0)) /* 0 would be for ever */
		return ETIMEDOUT;
	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left)) != 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof(left)) != 0)
		return errno;
	return 0;
}

/*
 * The errno of a system call on the connection, in the words of a connection.
 */
static int failure(void)
{
	switch (errno) {
	case EAGAIN: /* socket(7), SO_RCVTIMEO */
		return ETIMEDOUT;
	case EPIPE:
		return ECONNRESET;
	}
	return errno;
}

int connection_open(struct connection *c)
{
	int error;

	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return errno;
	/* Ioctl(2) is no cancellation point, but what follows is, and would leave the descriptor. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &c->cancel);
	if (clock_gettime(CLOCK_MONOTONIC, &c->deadline) != 0) {
		error = errno;
		connection_close(c);
		return error;
	}
	c->deadline.tv_sec += PATIENCE / 1000;
	c->deadline.tv_nsec += PATIENCE % 1000 * 1000000L;
	if (c->deadline.tv_nsec >= 1000000000) {
		c->deadline.tv_sec++;
		c->deadline.tv_nsec -= 1000000000;
	}
	do {
		error = limit(c);
		if (error == 0 && connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
			error = failure();
	} while (error == EINTR);
	if (error != 0)
		connection_close(c);
	return error;
}

bool connection_absent(int error)
{
	switch (error) {
	case ETIMEDOUT: /* it is there, but too busy to accept */
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return false;
	}
	return true;
}

bool connection_foreign(const struct connection *c, int socket)
{
	uint64_t ours, theirs;
	socklen_t a = sizeof(ours), b = sizeof(theirs);

	return getsockopt(c->fd, SOL_SOCKET, SO_NETNS_COOKIE, &ours, &a) == 0 &&
	       getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &b) == 0 && ours != theirs;
}

int connection_send(struct connection *c, struct iovec *parts, size_t n)
{
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = n};
	int error;

	do {
		error = limit(c);
		if (error == 0 && sendmsg(c->fd, &m, MSG_NOSIGNAL) < 0)
			error = failure();
	} while (error == EINTR);
	return error;
}

int connection_receive(struct connection *c, struct iovec *parts, size_t n, bool peek, size_t *len)
{
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = n};
	const struct answer_header *header = parts[0].iov_base;
	ssize_t got = 0;
	int error;

	do {
		error = limit(c);
		/* Without room for control messages the kernel closes descriptors that come along. */
		if (error == 0 && (got = recvmsg(c->fd, &m, peek ? MSG_PEEK : 0)) < 0)
			error = failure();
	} while (error == EINTR);
	if (error != 0)
		return error;
	if (got == 0) /* the end */
		return ECONNRESET;
	if ((size_t)got < sizeof(*header) || (m.msg_flags & MSG_TRUNC) ||
	    memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0 ||
	    header->len != (size_t)got - sizeof(*header) || header->error > MAX_ERRNO)
		return EPROTO;
	*len = header->len;
	return (int)header->error;
}

void connection_close(struct connection *c)
{
	close(c->fd);
	pthread_setcancelstate(c->cancel, NULL);
}
