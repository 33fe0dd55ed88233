#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The longest line without its end. The kernel's have up to 88 bytes, and programs
 * read words of them into buffers of 100 (net-tools, lib/inet.c).
 */
#define LONGEST_LINE 99

/* The most that is put behind the kernel's lines: of some 800,000 entries. */
#define MOST ((size_t)64 << 20)

bool table_named(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash == NULL ? path : slash + 1, "arp") == 0;
}

/*
 * Whether fd is open for reading, and is the table of this thread's network
 * namespace, by whatever path. Procfs has an inode for the table of each namespace.
 */
static bool is_table(int fd)
{
	struct stat this, ours;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & (O_ACCMODE | O_PATH)) == O_RDONLY && fstat(fd, &this) == 0 &&
	       S_ISREG(this.st_mode) && stat("/proc/thread-self/net/arp", &ours) == 0 &&
	       this.st_dev == ours.st_dev && this.st_ino == ours.st_ino;
}

/*
 * Asks for the next lines, none if len is 0, and looks whether they are lines.
 */
static int next_lines(struct connection *c, char *page, size_t *len)
{
	struct request_header request = {.cmd = COMMAND_TABLE, .family = AF_INET};
	struct answer_header answer;
	struct iovec out = {&request, sizeof(request)};
	struct iovec in[] = {{&answer, sizeof(answer)}, {page, MAX_ANSWER - sizeof(answer)}};
	int error;

	memcpy(request.magic, MAGIC, sizeof(request.magic));
	error = connection_send(c, &out, 1);
	if (error == 0)
		error = connection_receive(c, in, 2, false, len);
	if (error != 0)
		return error;
	for (const char *line = page, *end; line < page + *len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(page + *len - line));
		if (end == NULL || end - line > LONGEST_LINE || memchr(line, '\0', (size_t)(end - line)) != NULL)
			return EPROTO;
	}
	return 0;
}

/*
 * Writes to a file in memory. Room is what RLIMIT_FSIZE leaves: beyond it a signal
 * would end the program (setrlimit(2)).
 */
static int append(int memory, const char *data, size_t len, rlim_t *room)
{
	if (len > *room)
		return EFBIG;
	*room -= len;
	while (len > 0) {
		ssize_t n = write(memory, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_kernels(int table, int memory, rlim_t *room)
{
	char part[4096];

	for (;;) {
		ssize_t n = read(table, part, sizeof(part));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return 0;
		int error = append(memory, part, (size_t)n, room);
		if (error != 0)
			return error;
	}
}

/*
 * Writes the kernel's lines and isat's, of which the first are in page.
 */
static int fill(struct connection *c, int table, int memory, char *page, size_t len)
{
	struct rlimit size;
	int error;

	if (getrlimit(RLIMIT_FSIZE, &size) != 0)
		return errno;
	error = copy_kernels(table, memory, &size.rlim_cur);
	for (size_t sum = len; error == 0 && len > 0; sum += len) {
		if (sum > MOST)
			return EFBIG;
		error = append(memory, page, len, &size.rlim_cur);
		if (error == 0)
			error = next_lines(c, page, &len);
	}
	return error;
}

/*
 * Puts a file in memory at the number of table.
 */
static int replace(struct connection *c, int table, char *page, size_t len)
{
	int keep = fcntl(table, F_GETFD);
	int memory = memfd_create("arp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory < 0)
		return errno;
	int error = fill(c, table, memory, page, len);
	/* As little to be written as the kernel's, by those whom it is handed on to either. */
	if (error == 0 &&
	    (fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0 ||
	     lseek(memory, 0, SEEK_SET) != 0 ||
	     dup3(memory, table, keep & FD_CLOEXEC ? O_CLOEXEC : 0) < 0))
		error = errno;
	close(memory);
	if (error != 0)
		lseek(table, 0, SEEK_SET);
	return error;
}

void table_extend(int fd)
{
	int before = errno;
	struct connection c;

	if (is_table(fd) && connection_open(&c) == 0) {
		/* Not on the stack, which may be a small one of a thread. */
		char *page = mmap(NULL, MAX_ANSWER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		size_t len;
		if (page != MAP_FAILED) {
			if (next_lines(&c, page, &len) == 0 && len > 0)
				replace(&c, fd, page, len);
			munmap(page, MAX_ANSWER);
		}
		connection_close(&c);
	}
	errno = before;
}
