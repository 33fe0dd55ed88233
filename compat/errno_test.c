/*
 * Goes through what docs/ioctl.md says of the ARP ioctls, as an unmodified program
 * does: it knows nothing of libisat-ioctl.so, which is preloaded. TestLibraryErrno
 * of test/e2e runs it, as root, and gives it
 *
 *	isat0  192.0.2.1/24     Ethernet, a host of its own of isat
 *	arc0   198.51.100.1/24  ARCnet, a host of its own of isat
 *	off0   203.0.113.1/24   without ARP, taken over by isat
 *	k0     10.9.0.1/24      Ethernet, which isat has nothing to do with
 *
 * and nothing else. It prints a line for each case.
 */
#include "errno_test.h"
#include "isat_arp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_ENTRY "192.0.2.10"
#define OWN "192.0.2.1"
#define ARCNET "198.51.100.9"
#define WITHOUT_ARP "203.0.113.9"
#define KERNELS "10.9.0.9"
#define FAR "172.16.0.9" /* there is no route */

static const uint8_t mac[6] = ENTRY_MAC;

static int failures;

static void report(const char *name, bool good, const char *format, int got, int want)
{
	printf("%s %s", good ? "PASS" : "FAIL", name);
	if (!good) {
		printf(": ");
		printf(format, got, want);
		failures++;
	}
	putchar('\n');
}

void expect(const char *name, int got, int want)
{
	report(name, got == want, "%d, want %d", got, want);
}

void need(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(2);
	}
}

/* What a field is if 0 is what it is not told to be. */
#define ZERO (-1)

struct test {
	const char *name;
	unsigned long cmd;
	int want; /* errno */
	const char *ip, *dev;
	enum { ROOT, NOBODY, ADMIN } who; /* ADMIN is nobody with CAP_NET_ADMIN */
	enum { INET, INET6, UNIX, FILE_, CLOSED } fd;
	enum { SOUND, NOWHERE, UNMAPPED, CUT, READ_ONLY } pointer;
	int pa_family, ha_family; /* 0: the usual one */
	int nlen, alen;           /* 0: the true one */
	int flags;
};

static const struct test tests[] = {
	/* EPERM comes before everything, EFAULT too. */
	{"EPERM: SIOCSARP without privilege", SIOCSARP, EPERM, .ip = ENTRY, .who = NOBODY},
	{"EPERM: SIOCDARP without privilege", SIOCDARP, EPERM, .ip = ENTRY, .who = NOBODY},
	{"EPERM: SIOCSXARP without privilege", SIOCSXARP, EPERM, .ip = ENTRY, .who = NOBODY},
	{"EPERM: SIOCDXARP without privilege", SIOCDXARP, EPERM, .ip = ENTRY, .who = NOBODY},
	{"EPERM: SIOCSARP without privilege and with a bad pointer", SIOCSARP, EPERM, .who = NOBODY, .pointer = UNMAPPED},
	{"EPERM: SIOCDARP without privilege and with a bad pointer", SIOCDARP, EPERM, .who = NOBODY, .pointer = NOWHERE},
	{"EPERM: SIOCSXARP without privilege and with a bad pointer", SIOCSXARP, EPERM, .who = NOBODY, .pointer = UNMAPPED},
	{"EPERM: SIOCDXARP without privilege and with a bad pointer", SIOCDXARP, EPERM, .who = NOBODY, .pointer = NOWHERE},
	{"EPERM: SIOCSXARP without privilege on AF_INET6", SIOCSXARP, EPERM, .ip = ENTRY, .who = NOBODY, .fd = INET6},
	{"EPERM: SIOCSARP without privilege on AF_INET6", SIOCSARP, EPERM, .ip = ENTRY, .who = NOBODY, .fd = INET6},
	{"EPERM: SIOCSARP without privilege, unknown name", SIOCSARP, EPERM, .ip = ENTRY, .dev = "bge0", .who = NOBODY},
	{"EPERM: SIOCSARP with CAP_NET_ADMIN", SIOCSARP, EPERM, .ip = ENTRY, .who = ADMIN},
	{"EPERM: SIOCSARP with CAP_NET_ADMIN, published", SIOCSARP, EPERM, .ip = ENTRY, .who = ADMIN, .flags = ATF_PUBL},
	{"EPERM: SIOCDARP with CAP_NET_ADMIN", SIOCDARP, EPERM, .ip = ENTRY, .who = ADMIN},
	{"EPERM: SIOCDARP with CAP_NET_ADMIN, no entry", SIOCDARP, EPERM, .ip = NO_ENTRY, .who = ADMIN},
	{"EPERM: SIOCSXARP with CAP_NET_ADMIN", SIOCSXARP, EPERM, .ip = ENTRY, .who = ADMIN},
	{"EPERM: SIOCSARP with CAP_NET_ADMIN and with a bad pointer", SIOCSARP, EPERM, .who = ADMIN, .pointer = UNMAPPED},
	{"EPERM: SIOCSARP with CAP_NET_ADMIN on AF_INET6", SIOCSARP, EPERM, .ip = ENTRY, .who = ADMIN, .fd = INET6},
	{"SIOCGARP without privilege", SIOCGARP, 0, .ip = ENTRY, .who = NOBODY},
	{"SIOCGXARP without privilege", SIOCGXARP, 0, .ip = ENTRY, .who = NOBODY},

	{"EFAULT: SIOCSARP", SIOCSARP, EFAULT, .pointer = UNMAPPED},
	{"EFAULT: SIOCGARP", SIOCGARP, EFAULT, .pointer = UNMAPPED},
	{"EFAULT: SIOCDARP", SIOCDARP, EFAULT, .pointer = UNMAPPED},
	{"EFAULT: SIOCSXARP", SIOCSXARP, EFAULT, .pointer = UNMAPPED},
	{"EFAULT: SIOCGXARP", SIOCGXARP, EFAULT, .pointer = UNMAPPED},
	{"EFAULT: SIOCDXARP", SIOCDXARP, EFAULT, .pointer = UNMAPPED},
	{"EFAULT: SIOCSXARP of NULL", SIOCSXARP, EFAULT, .pointer = NOWHERE},
	{"EFAULT: SIOCGARP of NULL, without privilege", SIOCGARP, EFAULT, .pointer = NOWHERE, .who = NOBODY},
	{"EFAULT: SIOCSXARP, half of it", SIOCSXARP, EFAULT, .ip = ENTRY, .pointer = CUT},
	{"EFAULT: SIOCGARP, half of it", SIOCGARP, EFAULT, .ip = ENTRY, .pointer = CUT},
	{"EFAULT: SIOCGARP to memory that cannot be written", SIOCGARP, EFAULT, .ip = ENTRY, .pointer = READ_ONLY},
	{"EFAULT: SIOCGXARP to memory that cannot be written", SIOCGXARP, EFAULT, .ip = ENTRY, .pointer = READ_ONLY},
	{"EFAULT: SIOCSARP on AF_INET6", SIOCSARP, EFAULT, .pointer = UNMAPPED, .fd = INET6},
	{"SIOCSARP of memory that cannot be written", SIOCSARP, 0, .ip = ENTRY, .pointer = READ_ONLY},
	{"SIOCSXARP of memory that cannot be written", SIOCSXARP, 0, .ip = ENTRY, .pointer = READ_ONLY},

	/* The descriptor. */
	{"EBADF: a descriptor that is not open", SIOCGARP, EBADF, .ip = ENTRY, .fd = CLOSED},
	{"EBADF: a descriptor that is not open, SIOCSXARP", SIOCSXARP, EBADF, .ip = ENTRY, .fd = CLOSED},
	{"ENOTTY: not a socket", SIOCGARP, ENOTTY, .ip = ENTRY, .fd = FILE_},
	{"ENOTTY: not a socket, SIOCSXARP", SIOCSXARP, ENOTTY, .ip = ENTRY, .fd = FILE_},
	{"ENXIO: SIOCSARP on AF_INET6", SIOCSARP, ENXIO, .ip = ENTRY, .fd = INET6},
	{"ENXIO: SIOCGARP on AF_INET6", SIOCGARP, ENXIO, .ip = ENTRY, .fd = INET6},
	{"ENXIO: SIOCDARP on AF_INET6", SIOCDARP, ENXIO, .ip = ENTRY, .fd = INET6},
	{"ENXIO: SIOCSXARP on AF_INET6", SIOCSXARP, ENXIO, .ip = ENTRY, .fd = INET6},
	{"ENXIO: SIOCGXARP on AF_INET6", SIOCGXARP, ENXIO, .ip = ENTRY, .fd = INET6},
	{"ENXIO: SIOCDXARP on AF_INET6, and a name too long", SIOCDXARP, ENXIO, .ip = ENTRY, .fd = INET6, .nlen = 32},
	{"ENXIO: SIOCGXARP on AF_UNIX", SIOCGXARP, ENXIO, .ip = ENTRY, .fd = UNIX},

	/* The families in the struct. */
	{"ENXIO: arp_pa not of AF_INET", SIOCGARP, ENXIO, .ip = ENTRY, .pa_family = AF_INET6},
	{"ENXIO: arp_pa of AF_UNSPEC", SIOCSARP, ENXIO, .ip = ENTRY, .pa_family = ZERO},
	{"ENXIO: xarp_pa not of AF_INET", SIOCGXARP, ENXIO, .ip = ENTRY, .pa_family = AF_INET6},
	{"ENXIO: xarp_pa of AF_UNSPEC", SIOCSXARP, ENXIO, .ip = ENTRY, .pa_family = ZERO},
	{"ENXIO: xarp_ha not of AF_LINK", SIOCSXARP, ENXIO, .ip = ENTRY, .ha_family = AF_INET},
	{"ENXIO: xarp_ha not of AF_LINK, and a name too long", SIOCGXARP, ENXIO, .ip = ENTRY, .ha_family = AF_INET, .nlen = 32},
	{"xarp_ha of zeros, as the manual says", SIOCSXARP, 0, .ip = ENTRY, .ha_family = ZERO},
	{"arp_ha of AF_UNSPEC, as the manual says", SIOCSARP, 0, .ip = ENTRY, .ha_family = ZERO},
	{"EINVAL: arp_ha of another medium", SIOCSARP, EINVAL, .ip = ENTRY, .ha_family = ARPHRD_ARCNET},

	/* Names. */
	{"EINVAL: SIOCSXARP, sdl_nlen is LIFNAMSIZ", SIOCSXARP, EINVAL, .ip = ENTRY, .nlen = LIFNAMSIZ},
	{"EINVAL: SIOCGXARP, sdl_nlen is LIFNAMSIZ", SIOCGXARP, EINVAL, .ip = ENTRY, .nlen = LIFNAMSIZ},
	{"EINVAL: SIOCDXARP, sdl_nlen is 255", SIOCDXARP, EINVAL, .ip = ENTRY, .nlen = 255},
	{"EINVAL: arp_dev without an end", SIOCGARP, EINVAL, .ip = ENTRY, .dev = "sixteen-bytes-xx"},
	{"ENXIO: sdl_nlen is one less than LIFNAMSIZ", SIOCGXARP, ENXIO, .ip = ENTRY, .nlen = LIFNAMSIZ - 1},
	{"ENXIO: unknown name", SIOCSXARP, ENXIO, .ip = ENTRY, .dev = "bge0"},
	{"ENXIO: unknown name, SIOCGARP", SIOCGARP, ENXIO, .ip = ENTRY, .dev = "bge0"},
	{"ENXIO: unknown name, SIOCSARP", SIOCSARP, ENXIO, .ip = ENTRY, .dev = "bge0"},
	{"ENXIO: unknown name, SIOCDARP", SIOCDARP, ENXIO, .ip = ENTRY, .dev = "bge0"},
	{"ENXIO: logical name", SIOCSXARP, ENXIO, .ip = ENTRY, .dev = "isat0:1"},
	{"ENXIO: logical name, SIOCGARP", SIOCGARP, ENXIO, .ip = ENTRY, .dev = "isat0:1"},
	{"name of the interface", SIOCGXARP, 0, .ip = ENTRY, .dev = "isat0"},
	{"name of the interface, SIOCGARP", SIOCGARP, 0, .ip = ENTRY, .dev = "isat0"},

	/* The interface. */
	{"ENXIO: no interface for the address, SIOCSARP", SIOCSARP, ENXIO, .ip = FAR},
	{"ENXIO: no interface for the address, SIOCGARP", SIOCGARP, ENXIO, .ip = FAR},
	{"ENXIO: no interface for the address, SIOCDARP", SIOCDARP, ENXIO, .ip = FAR},
	{"ENXIO: no interface for the address, SIOCSXARP", SIOCSXARP, ENXIO, .ip = FAR},
	{"ENXIO: no interface for the address, SIOCGXARP", SIOCGXARP, ENXIO, .ip = FAR},
	{"ENXIO: no interface for the address, SIOCDXARP", SIOCDXARP, ENXIO, .ip = FAR},
	{"ENXIO: network of another interface", SIOCSXARP, ENXIO, .ip = ARCNET, .dev = "isat0"},
	{"ENXIO: interface without ARP", SIOCSXARP, ENXIO, .ip = WITHOUT_ARP},
	{"ENXIO: interface without ARP, by name", SIOCGXARP, ENXIO, .ip = WITHOUT_ARP, .dev = "off0"},
	{"ENXIO: interface that is not isat's", SIOCSXARP, ENXIO, .ip = KERNELS},

	/* Lengths. */
	{"EINVAL: sdl_alen is 0", SIOCSXARP, EINVAL, .ip = ENTRY, .alen = ZERO},
	{"EINVAL: sdl_alen is 5", SIOCSXARP, EINVAL, .ip = ENTRY, .alen = 5},
	{"EINVAL: sdl_alen is 7", SIOCSXARP, EINVAL, .ip = ENTRY, .alen = 7},
	{"EINVAL: name and address exceed sdl_data", SIOCSXARP, EINVAL, .ip = ENTRY, .dev = "isat0", .alen = 240},
	{"EINVAL: sdl_alen is 6 on ARCnet", SIOCSXARP, EINVAL, .ip = ARCNET},
	{"sdl_alen is 1 on ARCnet", SIOCSXARP, 0, .ip = ARCNET, .alen = 1},
	{"SIOCGXARP on ARCnet, sdl_alen is ignored", SIOCGXARP, 0, .ip = ARCNET, .alen = 200},
	{"EINVAL: SIOCSARP on ARCnet", SIOCSARP, EINVAL, .ip = ARCNET},
	{"EINVAL: SIOCGARP on ARCnet", SIOCGARP, EINVAL, .ip = ARCNET},
	{"SIOCDARP on ARCnet", SIOCDARP, 0, .ip = ARCNET},
	{"sdl_alen of SIOCDXARP is ignored", SIOCDXARP, 0, .ip = ENTRY, .alen = 200},

	/* Flags and addresses. */
	{"EINVAL: ATF_NETMASK without ATF_PUBL", SIOCSARP, EINVAL, .ip = ENTRY, .flags = ATF_NETMASK},
	{"EINVAL: ATF_DONTPUB without ATF_PUBL", SIOCSARP, EINVAL, .ip = ENTRY, .flags = ATF_DONTPUB},
	{"ATF_USETRAILERS", SIOCSXARP, 0, .ip = ENTRY, .flags = ATF_USETRAILERS},
	{"ATF_AUTHORITY", SIOCSXARP, 0, .ip = ENTRY, .flags = ATF_AUTHORITY},
	{"EINVAL: multicast address", SIOCSXARP, EINVAL, .ip = "224.0.0.1", .dev = "isat0"},
	{"EINVAL: broadcast address", SIOCSXARP, EINVAL, .ip = "192.0.2.255"},

	/* Entries. */
	{"ENXIO: no entry, SIOCGARP", SIOCGARP, ENXIO, .ip = NO_ENTRY},
	{"ENXIO: no entry, SIOCDARP", SIOCDARP, ENXIO, .ip = NO_ENTRY},
	{"ENXIO: no published entry, SIOCDARP", SIOCDARP, ENXIO, .ip = NO_ENTRY, .flags = ATF_PUBL},
	{"ENXIO: no entry, SIOCGXARP", SIOCGXARP, ENXIO, .ip = NO_ENTRY},
	{"ENXIO: no entry, SIOCDXARP", SIOCDXARP, ENXIO, .ip = NO_ENTRY},
	{"ENOTSUP: SIOCSARP of an own address", SIOCSARP, ENOTSUP, .ip = OWN},
	{"ENOTSUP: SIOCDARP of an own address", SIOCDARP, ENOTSUP, .ip = OWN},
	{"ENOTSUP: SIOCSXARP of an own address", SIOCSXARP, ENOTSUP, .ip = OWN},
	{"ENOTSUP: SIOCDXARP of an own address", SIOCDXARP, ENOTSUP, .ip = OWN},
	{"SIOCGARP of an own address", SIOCGARP, 0, .ip = OWN},
	{"SIOCGXARP of an own address", SIOCGXARP, 0, .ip = OWN},
	{"SIOCSARP", SIOCSARP, 0, .ip = ENTRY},
	{"SIOCDARP", SIOCDARP, 0, .ip = ENTRY},
	{"SIOCSXARP", SIOCSXARP, 0, .ip = ENTRY},
	{"SIOCDXARP", SIOCDXARP, 0, .ip = ENTRY},

	/* Addresses of interfaces that isat has not taken over are the kernel's. */
	{"ENXIO: no entry of the kernel, SIOCGARP", SIOCGARP, ENXIO, .ip = KERNELS},
	{"ENXIO: no entry of the kernel, SIOCDARP", SIOCDARP, ENXIO, .ip = KERNELS},
	{"SIOCSARP by the kernel", SIOCSARP, 0, .ip = KERNELS},
	{"SIOCGARP by the kernel, which has to be told the interface", SIOCGARP, 0, .ip = KERNELS, .dev = "k0"},
	{"EINVAL: SIOCSARP by the kernel", SIOCSARP, EINVAL, .ip = KERNELS, .ha_family = ARPHRD_ARCNET},
	{"SIOCDARP by the kernel", SIOCDARP, 0, .ip = KERNELS},
	{"EPERM: SIOCSARP by the kernel without privilege", SIOCSARP, EPERM, .ip = KERNELS, .who = NOBODY},
	{"EPERM: SIOCDARP by the kernel without privilege", SIOCDARP, EPERM, .ip = KERNELS, .who = NOBODY},
	{"ENXIO: no entry of the kernel, SIOCDARP with CAP_NET_ADMIN", SIOCDARP, ENXIO, .ip = KERNELS, .who = ADMIN},
	{"SIOCSARP by the kernel with CAP_NET_ADMIN", SIOCSARP, 0, .ip = KERNELS, .who = ADMIN},
	{"SIOCDARP by the kernel with CAP_NET_ADMIN, by name", SIOCDARP, 0, .ip = KERNELS, .dev = "k0", .who = ADMIN},
};

static int or_zero(int given, int usual)
{
	return given == 0 ? usual : given == ZERO ? 0 : given;
}

static struct sockaddr_in of_ip(const char *ip, int family)
{
	struct sockaddr_in in = {.sin_family = (sa_family_t)family};

	need(inet_pton(AF_INET, ip, &in.sin_addr) == 1, ip);
	return in;
}

static void fill_plain(struct arpreq *a, const struct test *t)
{
	struct sockaddr_in pa = of_ip(t->ip, or_zero(t->pa_family, AF_INET));

	memcpy(&a->arp_pa, &pa, sizeof(pa));
	a->arp_ha.sa_family = (sa_family_t)or_zero(t->ha_family, ARPHRD_ETHER);
	memcpy(a->arp_ha.sa_data, mac, sizeof(mac));
	a->arp_flags = t->flags == 0 ? ATF_PERM : t->flags;
	if (t->dev != NULL)
		memcpy(a->arp_dev, t->dev, strnlen(t->dev, sizeof(a->arp_dev)));
}

static void fill_extended(struct xarpreq *x, const struct test *t)
{
	struct sockaddr_in pa = of_ip(t->ip, or_zero(t->pa_family, AF_INET));
	struct sockaddr_dl *dl = &x->xarp_ha;

	memcpy(&x->xarp_pa, &pa, sizeof(pa));
	dl->sdl_family = (uint16_t)or_zero(t->ha_family, AF_LINK);
	if (t->dev != NULL) {
		dl->sdl_nlen = (uint8_t)strlen(t->dev);
		memcpy(dl->sdl_data, t->dev, dl->sdl_nlen);
	}
	memcpy(LLADDR(dl), mac, sizeof(mac));
	dl->sdl_nlen = (uint8_t)or_zero(t->nlen, dl->sdl_nlen);
	dl->sdl_alen = (uint8_t)or_zero(t->alen, sizeof(mac));
	x->xarp_flags = t->flags == 0 ? ATF_PERM : t->flags;
}

static size_t size_of(unsigned long cmd)
{
	return cmd <= SIOCSARP ? sizeof(struct arpreq) : sizeof(struct xarpreq);
}

static int descriptor(const struct test *t)
{
	int fd = -1;

	switch (t->fd) {
	case INET:
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		break;
	case INET6:
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		break;
	case UNIX:
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		break;
	case FILE_:
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		break;
	case CLOSED:
		return -1;
	}
	need(fd >= 0, t->name);
	return fd;
}

/*
 * Is another one from now on; ROOT is who it was.
 */
static void become(int who)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	need(seteuid(who == ROOT ? 0 : 65534) == 0, "seteuid");
	if (who != ADMIN)
		return;
	need(syscall(SYS_capget, &header, sets) == 0, "capget");
	sets[CAP_TO_INDEX(CAP_NET_ADMIN)].effective |= CAP_TO_MASK(CAP_NET_ADMIN);
	need(syscall(SYS_capset, &header, sets) == 0, "capset");
}

/*
 * Valgrind is told by errno_test.supp that what is in here is bad on purpose.
 */
__attribute__((noinline)) static int with_bad_pointer(int fd, unsigned long cmd, void *arg)
{
	int result = ioctl(fd, cmd, arg);

	__asm__ volatile("" ::: "memory"); /* no tail call, which valgrind would not see */
	return result;
}

/*
 * Makes the struct of a case at the end of a page that no other follows, and returns
 * the errno of the ioctl, or 0.
 */
static int call(const struct test *t, void *copy)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = size_of(t->cmd);
	char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(memory != MAP_FAILED && mprotect(memory + page, page, PROT_NONE) == 0, "mmap");
	char *arg = memory + page - size;
	int fd = descriptor(t), result = -1;

	if (t->ip != NULL) {
		if (size == sizeof(struct arpreq))
			fill_plain((struct arpreq *)arg, t);
		else
			fill_extended((struct xarpreq *)arg, t);
	}
	memcpy(copy, arg, size);
	if (t->pointer == READ_ONLY)
		need(mprotect(memory, page, PROT_READ) == 0, "mprotect");
	become(t->who);
	errno = 12345;
	switch (t->pointer) {
	case SOUND:
		result = ioctl(fd, t->cmd, arg);
		break;
	case NOWHERE:
		result = with_bad_pointer(fd, t->cmd, NULL);
		break;
	case UNMAPPED:
		result = with_bad_pointer(fd, t->cmd, memory + page);
		break;
	case CUT:
		result = with_bad_pointer(fd, t->cmd, arg + size / 2);
		break;
	case READ_ONLY:
		result = with_bad_pointer(fd, t->cmd, arg);
		break;
	}
	int error = errno;
	become(ROOT);
	bool get = t->cmd == SIOCGARP || t->cmd == SIOCGXARP;
	if ((result < 0 || !get) && memcmp(copy, arg, size) != 0)
		report(t->name, false, "the struct has changed, errno %d", error, 0);
	if (result == 0 && error != 12345)
		report(t->name, false, "errno has become %d", error, 0);
	memcpy(copy, arg, size);
	if (fd >= 0)
		close(fd);
	need(munmap(memory, 2 * page) == 0, "munmap");
	return result == 0 ? 0 : error;
}

static union {
	struct arpreq plain;
	struct xarpreq extended;
} got;

static void set_entry(const char *ip, int flags)
{
	struct test t = {"setting an entry", SIOCSXARP, 0, .ip = ip, .flags = flags};

	errno = call(&t, &got);
	need(errno == 0, t.name);
}

static void test_errnos(void)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		set_entry(ENTRY, ATF_PERM);
		expect(tests[i].name, call(&tests[i], &got), tests[i].want);
	}
}

/*
 * What comes back.
 */
static void test_answers(void)
{
	struct test plain = {"answer", SIOCGARP, 0, .ip = ENTRY}, extended = {"answer", SIOCGXARP, 0, .ip = ENTRY};

	set_entry(ENTRY, ATF_PERM | ATF_AUTHORITY);
	need(call(&plain, &got) == 0, "SIOCGARP");
	expect("arp_flags", got.plain.arp_flags, ATF_COM | ATF_PERM | 0x01);
	expect("arp_ha", memcmp(got.plain.arp_ha.sa_data, mac, sizeof(mac)), 0);
	expect("arp_ha.sa_family", got.plain.arp_ha.sa_family, ARPHRD_ETHER);
	expect("arp_dev", strcmp(got.plain.arp_dev, "isat0"), 0);

	need(call(&extended, &got) == 0, "SIOCGXARP");
	struct sockaddr_dl *dl = &got.extended.xarp_ha;
	expect("xarp_flags", got.extended.xarp_flags, ATF_INUSE | ATF_COM | ATF_PERM | ATF_AUTHORITY);
	expect("sdl_family", dl->sdl_family, AF_LINK);
	expect("sdl_index", dl->sdl_index, (int)if_nametoindex("isat0"));
	expect("sdl_type", dl->sdl_type, IFT_ETHER);
	expect("sdl_nlen", dl->sdl_nlen, 5);
	expect("sdl_alen", dl->sdl_alen, 6);
	expect("sdl_slen", dl->sdl_slen, 0);
	expect("sdl_data", memcmp(dl->sdl_data, "isat0\x02\0\0\0\0\x09", 11), 0);
	expect("LLADDR", memcmp(LLADDR(dl), mac, sizeof(mac)), 0);

	struct test on_arcnet = {"answer", SIOCSXARP, 0, .ip = ARCNET, .alen = 1};
	need(call(&on_arcnet, &got) == 0, "SIOCSXARP");
	on_arcnet.cmd = SIOCGXARP;
	need(call(&on_arcnet, &got) == 0, "SIOCGXARP");
	expect("sdl_type of ARCnet", dl->sdl_type, IFT_ARCNET);
	expect("sdl_alen of ARCnet", dl->sdl_alen, 1);

	set_entry(ENTRY, ATF_COM); /* which is not the caller's to say, and not ATF_PERM */
	need(call(&extended, &got) == 0, "SIOCGXARP");
	expect("xarp_flags of a temporary entry", got.extended.xarp_flags, ATF_INUSE | ATF_COM);
}

/*
 * Other ioctls go where they went.
 */
static void test_others(void)
{
	int pipes[2], n = -1;
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	need(pipe(pipes) == 0 && write(pipes[1], "abc", 3) == 3 && fd >= 0, "pipe");
	expect("FIONREAD", ioctl(pipes[0], FIONREAD, &n) == 0 ? n : -1, 3);
	expect("FIOCLEX, without an argument", ioctl(pipes[0], FIOCLEX), 0);
	expect("FIOCLEX has been done", fcntl(pipes[0], F_GETFD), FD_CLOEXEC);
	strcpy(ifr.ifr_name, "isat0");
	expect("SIOCGIFINDEX", ioctl(fd, SIOCGIFINDEX, &ifr) == 0 ? ifr.ifr_ifindex : -1, (int)if_nametoindex("isat0"));
	expect("ENOTTY: TCGETS", ioctl(pipes[0], 0x5401, &n) == 0 ? 0 : errno, ENOTTY);
	n = with_bad_pointer(fd, (unsigned long)(int)SIOCGXARP, NULL);
	expect("EFAULT: a number that came through an int", n == 0 ? 0 : errno, EFAULT);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

int main(void)
{
	int before = open_descriptors();

	test_errnos();
	test_answers();
	test_others();
	set_entry(ENTRY, ATF_PERM);
	test_process();
	expect("no descriptor left open", open_descriptors(), before);
	return failures == 0 ? 0 : 1;
}
