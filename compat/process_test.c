/*
 * Calls the ARP ioctls, as an unmodified program does, from where a library may go
 * wrong: other namespaces, threads, children, signal handlers.
 */
#include "errno_test.h"
#include "isat_arp.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	need(dir != NULL, "/proc/self/fd");
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/*
 * The errno of a SIOCGXARP of ENTRY, 0, or -1 for another entry. It is ENOTTY from
 * the kernel, which does not know the ioctl.
 */
static int get(int fd)
{
	static const uint8_t mac[] = ENTRY_MAC;
	struct xarpreq x = {.xarp_flags = 0};
	struct sockaddr_in *pa = (struct sockaddr_in *)&x.xarp_pa;

	pa->sin_family = AF_INET;
	need(inet_pton(AF_INET, ENTRY, &pa->sin_addr) == 1, ENTRY);
	if (ioctl(fd, SIOCGXARP, &x) != 0)
		return errno;
	return memcmp(LLADDR(&x.xarp_ha), mac, sizeof(mac)) == 0 ? 0 : -1;
}

static bool get_works(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = get(fd);

	close(fd);
	return error == 0;
}

static void test_namespaces(void)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int ours = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	need(home >= 0 && ours >= 0 && unshare(CLONE_NEWNET) == 0, "unshare");
	int theirs = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	expect("ENOTTY: a socket of ours in another namespace", get(ours), ENOTTY);
	expect("ENOTTY: a socket of another namespace, in it", get(theirs), ENOTTY);
	need(theirs >= 0 && setns(home, CLONE_NEWNET) == 0, "setns");
	expect("ENOTTY: a socket of another namespace", get(theirs), ENOTTY);
	expect("a socket of ours", get(ours), 0);
	close(home);
	close(ours);
	close(theirs);
}

/*
 * Takes a descriptor, and leaves an errno in its place.
 */
static void *get_cancelled(void *fd)
{
	pthread_cancel(pthread_self());
	*(int *)fd = get(*(int *)fd);
	pthread_testcancel();
	return NULL;
}

static void test_cancellation(void)
{
	pthread_t thread;
	void *result = NULL;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = fd;

	need(fd >= 0 && pthread_create(&thread, NULL, get_cancelled, &error) == 0, "pthread_create");
	pthread_join(thread, &result);
	expect("ioctl is no cancellation point", error, 0);
	expect("the thread has been cancelled", result == PTHREAD_CANCELED, true);
	close(fd);
}

static void *many_gets(void *failed)
{
	for (int i = 0; i < 50; i++)
		*(int *)failed += !get_works();
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[4];
	int failed[4] = {0}, sum = 0;

	for (int i = 0; i < 4; i++)
		need(pthread_create(&threads[i], NULL, many_gets, &failed[i]) == 0, "pthread_create");
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		sum += failed[i];
	}
	expect("four threads", sum, 0);
}

static void test_fork(void)
{
	int status = -1, failed = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	need(child >= 0, "fork");
	many_gets(&failed);
	if (child == 0)
		_exit(failed);
	need(waitpid(child, &status, 0) == child, "waitpid");
	expect("parent and child", failed + status, 0);
}

static volatile sig_atomic_t signals, failed_in_handler;

static void handler(int signal)
{
	int before = errno;

	(void)signal;
	signals++;
	failed_in_handler += !get_works();
	errno = before;
}

static void test_signals(void)
{
	/* No SA_RESTART: system calls of the library fail with EINTR. */
	struct sigaction act = {.sa_handler = handler};
	int failed = 0;

	need(sigaction(SIGALRM, &act, NULL) == 0, "sigaction");
	for (int i = 0; i < 200 || (signals == 0 && i < 10000); i++) {
		/* Once each: a slow machine would do nothing but handle them. */
		struct itimerval in = {.it_value = {0, 50 + i % 50 * 40}};
		need(setitimer(ITIMER_REAL, &in, NULL) == 0, "setitimer");
		failed += !get_works();
	}
	need(signal(SIGALRM, SIG_IGN) != SIG_ERR, "signal");
	expect("interrupted by signals", failed, 0);
	expect("in a handler of signals", signals > 0 ? failed_in_handler : -1, 0);
}

void test_process(void)
{
	test_namespaces();
	test_cancellation();
	test_threads();
	test_fork();
	test_signals();
}
