/*
 * What fuzz_server.c gives to the one who runs it: libFuzzer or fuzz_fixed.c.
 */
#ifndef ISAT_FUZZ_SERVER_H
#define ISAT_FUZZ_SERVER_H

#include <stddef.h>
#include <stdint.h>

/* How often something came of a case. */
struct seen {
	unsigned done;         /* a SET or DELETE */
	unsigned got;          /* a GET */
	unsigned kernels;      /* that the kernel was asked */
	unsigned tables;       /* with lines of the server */
	unsigned bad_pointers; /* EFAULT */
	unsigned nonsense;     /* EPROTO */
	unsigned hangups;      /* ECONNRESET */
	unsigned timeouts;     /* ETIMEDOUT */
};
extern struct seen seen;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
