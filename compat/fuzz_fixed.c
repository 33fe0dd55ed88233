/*
 * Runs fuzz_server.c without a fuzzer: some thousand inputs, the same each time, of
 * which most are what the library understands and some is wrong.
 */
#include "fuzz_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CASES 4000

/* Xorshift32 (Marsaglia, 2003): as good as it has to be, and the same everywhere. */
static uint32_t state = 2463534242;

static uint32_t random_below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

/*
 * A packet as send_packet of fuzz_server.c reads it.
 */
static size_t make_packet(uint8_t *to)
{
	size_t n = 0;
	uint8_t kind = (uint8_t)random_below(64);

	to[n++] = kind;
	to[n++] = (uint8_t)random_below(256);
	if (kind & 0x02) {
		to[n++] = random_below(2) > 0 ? ENXIO : (uint8_t)random_below(256);
		to[n++] = random_below(4) > 0 ? 0 : (uint8_t)random_below(256);
	}
	if ((kind & 0x18) == 0) {
		for (uint8_t i = to[1]; i > 0; i--)
			to[n++] = (uint8_t)random_below(256);
	}
	return n;
}

/*
 * What the library waits for: yes without a struct, ENXIO, EPERM, the struct of a
 * GET, or lines.
 */
static size_t make_answer(uint8_t *to, uint8_t input)
{
	static const uint8_t yes[] = {0x01, 0}, unknown[] = {0x03, 0, ENXIO, 0}, refused[] = {0x03, 0, EPERM, 0};
	static const uint8_t plain[] = {0x09, 1}, extended[] = {0x09, 2}, lines[] = {0x11, 87};
	const uint8_t *answer = yes;
	size_t n = sizeof(yes);

	if (random_below(8) == 0)
		return make_packet(to);
	if ((input & 7) >= 6) {
		answer = lines;
	} else if (random_below(4) == 0) {
		answer = random_below(4) > 0 ? unknown : refused;
		n = sizeof(unknown);
	} else if ((input & 7) == 1) {
		answer = plain;
	} else if ((input & 7) == 4) {
		answer = extended;
	}
	memcpy(to, answer, n);
	return n;
}

int main(void)
{
	for (int i = 0; i < CASES; i++) {
		static uint8_t input[8 * 260 + 16];
		size_t n = 0;
		input[n++] = (uint8_t)random_below(256);
		if (random_below(4) > 0)
			input[0] &= 0xe7; /* most pointers are sound */
		if (random_below(4) > 0)
			input[0] &= 0x7f; /* and most servers neither hang, nor close, nor refuse */
		if ((input[0] & 7) < 6 && random_below(8) > 0) /* may the caller? */
			n += make_answer(input + n, 0);
		for (uint32_t packets = random_below(6); packets > 0; packets--)
			n += make_answer(input + n, input[0]);
		if ((input[0] & 7) >= 6 && random_below(2) > 0)
			n += make_answer(input + n, 0); /* no more lines */
		LLVMFuzzerTestOneInput(input, n);
	}
	printf("%d cases: done %u, got %u, asked the kernel %u, tables %u, EFAULT %u, EPROTO %u, ECONNRESET %u, ETIMEDOUT %u\n",
		CASES, seen.done, seen.got, seen.kernels, seen.tables, seen.bad_pointers, seen.nonsense, seen.hangups, seen.timeouts);
	/* Otherwise it has not been tried. */
	return seen.done && seen.got && seen.kernels && seen.tables && seen.bad_pointers && seen.nonsense &&
			seen.hangups && seen.timeouts ? 0 : 1;
}
