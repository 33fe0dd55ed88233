#include "internal.h"
#include "isat_arp.h"

#include <errno.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* No errno: isat has nothing to do with it, and the kernel's answer is the only one. */
#define KERNELS (-1)

/*
 * The size of the struct of an ARP ioctl, 0 for another one. The kernel, too, looks
 * at the low 32 bits only: a number may have come through an int.
 */
static size_t size_of(unsigned long cmd)
{
	switch ((uint32_t)cmd) {
	case SIOCSARP:
	case SIOCGARP:
	case SIOCDARP:
		return sizeof(struct arpreq);
	case SIOCSXARP:
	case SIOCGXARP:
	case SIOCDXARP:
		return sizeof(struct xarpreq);
	}
	return 0;
}

static bool is_get(uint32_t cmd)
{
	return cmd == SIOCGARP || cmd == SIOCGXARP;
}

bool request_known(unsigned long cmd)
{
	return size_of(cmd) != 0;
}

/*
 * Asks the daemon, with the struct or, if size is 0, whether the caller may.
 */
static int ask(struct connection *c, uint32_t cmd, int family, void *arg, size_t size)
{
	struct request_header request = {.cmd = cmd, .family = (uint32_t)family, .len = (uint32_t)size};
	struct answer_header answer;
	char copy[sizeof(struct xarpreq)];
	struct iovec out[] = {{&request, sizeof(request)}, {arg, size}};
	struct iovec in[] = {{&answer, sizeof(answer)}, {copy, sizeof(copy)}};
	size_t len, want = is_get(cmd) ? size : 0;
	int error;

	memcpy(request.magic, MAGIC, sizeof(request.magic));
	error = connection_send(c, out, size == 0 ? 1 : 2);
	if (error != 0)
		return error;
	/* What is written to the caller's struct has been looked at before. */
	error = connection_receive(c, in, 2, want != 0, &len);
	if (error != 0)
		return error;
	if (len != want)
		return EPROTO;
	if (want == 0)
		return 0;
	in[1] = (struct iovec){arg, size};
	return connection_receive(c, in, 2, false, &len);
}

/*
 * What comes of the EPERM of the daemon. It does not know of CAP_NET_ADMIN, which is
 * enough for the kernel: ENXIO, as for others, if the request is about an interface
 * that isat has not taken over. The kernel looks at the caller's rights by itself.
 */
static int refused(struct connection *c, uint32_t cmd, int family, void *arg)
{
	if (is_get(cmd) || size_of(cmd) != sizeof(struct arpreq) || family != AF_INET)
		return EPERM;
	return ask(c, COMMAND_WHOSE, family, arg, size_of(cmd)) == ENXIO ? ENXIO : EPERM;
}

static int daemons(int fd, uint32_t cmd, int family, void *arg)
{
	struct connection c;
	int error = connection_open(&c);

	if (error != 0)
		return connection_absent(error) ? KERNELS : error;
	if (connection_foreign(&c, fd)) {
		error = KERNELS;
	} else {
		/* Before the argument is touched: EPERM comes before EFAULT. */
		error = ask(&c, cmd, family, NULL, 0);
		if (error == ENXIO) /* the daemon is of another network namespace */
			error = KERNELS;
		else if (error == EPERM)
			error = refused(&c, cmd, family, arg);
		else if (error == 0)
			error = ask(&c, cmd, family, arg, size_of(cmd));
	}
	connection_close(&c);
	return error;
}

/*
 * Asks the kernel for what isat does not know: it may be of an interface that isat
 * has not taken over.
 */
static int kernels(int fd, unsigned long cmd, void *arg, ioctl_function *kernel)
{
	int result = kernel(fd, cmd, arg);

	if (result < 0) {
		switch (errno) {
		/* Linux' words for what is ENXIO in arp(7P). */
		case EHOSTUNREACH: /* there is no interface for the address */
		case ENETUNREACH:
		case ENODEV:
		case ENOENT:       /* there is no published entry */
		case ENOTTY:       /* the descriptor is of another family than AF_INET */
		case EPFNOSUPPORT: /* and so is arp_pa */
			errno = ENXIO;
		}
	}
	return result;
}

int request_ioctl(int fd, unsigned long cmd, void *arg, ioctl_function *kernel)
{
	int before = errno;
	int family;
	socklen_t len = sizeof(family);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0) {
		errno = before;
		return kernel(fd, cmd, arg); /* EBADF, ENOTTY, or a number of another device */
	}
	int error = daemons(fd, (uint32_t)cmd, family, arg);
	errno = before;
	if (error == 0)
		return 0;
	if (error == KERNELS)
		return kernel(fd, cmd, arg);
	if (error == ENXIO && size_of(cmd) == sizeof(struct arpreq))
		return kernels(fd, cmd, arg, kernel);
	errno = error;
	return -1;
}
