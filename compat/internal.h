/*
 * What the files of libisat-ioctl.so share:
 *
 *	interpose.c ──┬── request.c ──┐
 *	(exported)    └── table.c ────┴── connection.c ── ioctl.sock
 *
 * A program calls it from any thread, from signal handlers and after fork(2).
 * Hence it has no locks and no heap, and nothing that changes once it is loaded:
 * each call has a connection of its own. A function here that returns int returns
 * 0 or an errno, and leaves errno itself to its callers.
 */
#ifndef ISAT_INTERNAL_H
#define ISAT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <time.h>

/*
 * The packets of ioctl.sock (docs/ioctl.md), in native byte order. A struct follows
 * the header.
 */
#define MAGIC "ISA1"

struct request_header {
	char magic[4];
	uint32_t cmd;
	uint32_t family; /* SO_DOMAIN of the caller's descriptor */
	uint32_t len;    /* of the struct; 0 asks for privilege only */
};

struct answer_header {
	char magic[4];
	uint32_t error;
	uint32_t len;
};

/* No ioctl: the next lines of /proc/net/arp that the kernel does not have. */
#define COMMAND_TABLE 1

/* No ioctl: whether the interface of a struct arpreq is isat's, ENXIO if it is not. */
#define COMMAND_WHOSE 2

/* The longest answer, which is one of COMMAND_TABLE (package ioctl, MaxAnswer). */
#define MAX_ANSWER (32 << 10)

/*
 * A connection to the daemon. It ends, whatever the daemon does, within PATIENCE
 * after connection_open.
 */
struct connection {
	int fd;
	int cancel; /* the state of cancellation before */
	struct timespec deadline;
};

/* Milliseconds. The daemon answers without waiting for the network. */
#ifndef PATIENCE
#define PATIENCE 10000
#endif

/*
 * Says where the daemon is, by the path of its HTTP socket; NULL or "" for the
 * usual one. Once, before anything else.
 */
void connection_path(const char *http);

int connection_open(struct connection *c);

/*
 * Whether an error of connection_open means that no daemon is there.
 */
bool connection_absent(int error);

/*
 * Whether the connection and the socket are known to be in different network
 * namespaces.
 */
bool connection_foreign(const struct connection *c, int socket);

/*
 * Sends one packet. EFAULT if a part is not the program's to read: the kernel does
 * the copying, so that there is no moment between a check and a use.
 */
int connection_send(struct connection *c, struct iovec *parts, size_t n);

/*
 * Receives one packet and checks that it is an answer and says its true length,
 * that of what follows the header. It is the errno of the answer that is returned;
 * EPROTO for what is no answer; EFAULT if a part is not the program's to write.
 * Parts[0] has to be a struct answer_header. With peek the packet stays.
 */
int connection_receive(struct connection *c, struct iovec *parts, size_t n, bool peek, size_t *len);

void connection_close(struct connection *c);

typedef int ioctl_function(int fd, unsigned long cmd, ...);

/*
 * Whether a number is that of an ARP ioctl.
 */
bool request_known(unsigned long cmd);

/*
 * Is ioctl(2) for those: what isat does not know, the kernel is asked.
 */
int request_ioctl(int fd, unsigned long cmd, void *arg, ioctl_function *kernel);

/*
 * Whether a path may lead to /proc/net/arp; table_extend makes sure.
 */
bool table_named(const char *path);

/*
 * If fd has just been opened for reading and is /proc/net/arp of this network
 * namespace, isat's lines come after the kernel's from now on. It is left as it is
 * if there are none, and when anything fails. Errno stays.
 */
void table_extend(int fd);

#endif
