/*
 * The functions of libc that libisat-ioctl.so stands before. Each calls the one it
 * hides; all but ARP ioctls and /proc/net/arp goes through as it came.
 */

/* With it the headers define some of these functions themselves. */
#undef _FORTIFY_SOURCE

#include "internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define EXPORT __attribute__((visibility("default")))

/* 32-bit systems have a second ioctl for programs with a time_t of 64 bits. */
#if defined __GLIBC__ && defined __TIMESIZE && __TIMESIZE == 32
#define HAVE_IOCTL_TIME64 1
#endif

enum function {
	IOCTL,
#ifdef HAVE_IOCTL_TIME64
	IOCTL_TIME64,
#endif
	OPEN, OPEN64, OPENAT, OPENAT64,
	OPEN_2, OPEN64_2, OPENAT_2, OPENAT64_2,
	FOPEN, FOPEN64,
	FUNCTIONS
};

static const char *const names[FUNCTIONS] = {
	[IOCTL] = "ioctl",
#ifdef HAVE_IOCTL_TIME64
	[IOCTL_TIME64] = "__ioctl_time64",
#endif
	[OPEN] = "open", [OPEN64] = "open64", [OPENAT] = "openat", [OPENAT64] = "openat64",
	[OPEN_2] = "__open_2", [OPEN64_2] = "__open64_2", [OPENAT_2] = "__openat_2", [OPENAT64_2] = "__openat64_2",
	[FOPEN] = "fopen", [FOPEN64] = "fopen64",
};

/*
 * The function that ours hides. It is looked for when the library is loaded, because
 * dlsym(3) is not for signal handlers; before that if another library's constructor
 * is earlier.
 */
static void *hidden(enum function f)
{
	static void *_Atomic found[FUNCTIONS];
	void *p = atomic_load_explicit(&found[f], memory_order_relaxed);

	if (p == NULL) {
		p = dlsym(RTLD_NEXT, names[f]);
		atomic_store_explicit(&found[f], p, memory_order_relaxed);
	}
	return p;
}

__attribute__((constructor)) static void load(void)
{
	int before = errno;

	for (int f = 0; f < FUNCTIONS; f++)
		hidden((enum function)f);
	/* Not of a program with the rights of another user: it would send its requests anywhere. */
	connection_path(secure_getenv("ISAT_SOCKET"));
	errno = before;
}

static int do_ioctl(enum function f, int fd, unsigned long cmd, void *arg)
{
	ioctl_function *kernel = (ioctl_function *)hidden(f);

	return request_known(cmd) ? request_ioctl(fd, cmd, arg, kernel) : kernel(fd, cmd, arg);
}

/* Whether it takes a pointer, a number or nothing, an argument is passed on. */
#define IOCTL_FUNCTION(name, function) \
	EXPORT int name(int fd, unsigned long cmd, ...) \
	{ \
		va_list list; \
		va_start(list, cmd); \
		void *arg = va_arg(list, void *); \
		va_end(list); \
		return do_ioctl(function, fd, cmd, arg); \
	}

IOCTL_FUNCTION(ioctl, IOCTL)
#ifdef HAVE_IOCTL_TIME64
int __ioctl_time64(int fd, unsigned long cmd, ...);
IOCTL_FUNCTION(__ioctl_time64, IOCTL_TIME64)
#endif

/*
 * What was opened by a path, which is known to be sound then.
 */
static int opened(const char *path, int fd)
{
	if (fd >= 0 && table_named(path))
		table_extend(fd);
	return fd;
}

static FILE *fopened(const char *path, FILE *file)
{
	if (file != NULL && table_named(path))
		table_extend(fileno(file)); /* nothing has been read yet */
	return file;
}

/*
 * The mode of open(2), which is there only if a file may be made.
 */
#define MODE(flags, mode) \
	if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
		va_list list; \
		va_start(list, flags); \
		mode = va_arg(list, mode_t); \
		va_end(list); \
	}

typedef int open_function(const char *path, int flags, ...);
typedef int openat_function(int directory, const char *path, int flags, ...);
typedef FILE *fopen_function(const char *path, const char *mode);

#define OPEN_FUNCTION(name, function) \
	EXPORT int name(const char *path, int flags, ...) \
	{ \
		mode_t mode = 0; \
		MODE(flags, mode) \
		return opened(path, ((open_function *)hidden(function))(path, flags, mode)); \
	}

#define OPENAT_FUNCTION(name, function) \
	EXPORT int name(int directory, const char *path, int flags, ...) \
	{ \
		mode_t mode = 0; \
		MODE(flags, mode) \
		return opened(path, ((openat_function *)hidden(function))(directory, path, flags, mode)); \
	}

#define FOPEN_FUNCTION(name, function) \
	EXPORT FILE *name(const char *restrict path, const char *restrict mode) \
	{ \
		return fopened(path, ((fopen_function *)hidden(function))(path, mode)); \
	}

OPEN_FUNCTION(open, OPEN)
OPEN_FUNCTION(open64, OPEN64)
OPENAT_FUNCTION(openat, OPENAT)
OPENAT_FUNCTION(openat64, OPENAT64)
FOPEN_FUNCTION(fopen, FOPEN)
FOPEN_FUNCTION(fopen64, FOPEN64)

/* What -D_FORTIFY_SOURCE makes of open and openat without a mode. */
typedef int open_2_function(const char *path, int flags);
typedef int openat_2_function(int directory, const char *path, int flags);

#define OPEN_2_FUNCTION(name, function) \
	EXPORT int name(const char *path, int flags); \
	int name(const char *path, int flags) \
	{ \
		return opened(path, ((open_2_function *)hidden(function))(path, flags)); \
	}

#define OPENAT_2_FUNCTION(name, function) \
	EXPORT int name(int directory, const char *path, int flags); \
	int name(int directory, const char *path, int flags) \
	{ \
		return opened(path, ((openat_2_function *)hidden(function))(directory, path, flags)); \
	}

OPEN_2_FUNCTION(__open_2, OPEN_2)
OPEN_2_FUNCTION(__open64_2, OPEN64_2)
OPENAT_2_FUNCTION(__openat_2, OPENAT_2)
OPENAT_2_FUNCTION(__openat64_2, OPENAT64_2)
