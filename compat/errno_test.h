/*
 * What errno_test.c and process_test.c share. They are one program.
 */
#ifndef ISAT_ERRNO_TEST_H
#define ISAT_ERRNO_TEST_H

#include <stdbool.h>

/* An entry of isat0 that is there before each case. */
#define ENTRY "192.0.2.9"
#define ENTRY_MAC {0x02, 0, 0, 0, 0, 0x09}

/* Prints the line of a case. */
void expect(const char *name, int got, int want);

/* Ends the program, with errno, if something is not so that tests presuppose. */
void need(bool good, const char *what);

/* How many descriptors are open. */
int open_descriptors(void);

/* The cases of process_test.c, with ENTRY there. */
void test_process(void);

#endif
