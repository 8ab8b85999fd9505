/* thread.c - what the shim keeps per thread: identity and random numbers. */
#include "preload/thread.h"

#include <string.h>

#include "preload/sys.h"

__thread struct thread thread_self;

/* A fork child inherits the forking thread's state, its random numbers included. */
void thread_refresh(struct thread *self)
{
	if (sys_random(self->random, sizeof(self->random))) {
		self->random[0] ^= sys_now_ns();
		self->random[1] ^= (uintptr_t)self;
		self->random[2] ^= (uint64_t)sys_call3(SYS_gettid, 0, 0, 0) << 32;
		self->random[3] |= 1;
	}
	self->id = (uint32_t)sys_call3(SYS_gettid, 0, 0, 0);
	self->epoch = process_epoch;
}

static uint64_t rotate(uint64_t value, int by)
{
	return value << by | value >> (64 - by);
}

/* xoshiro256**, by Blackman and Vigna (public domain algorithm). */
static uint64_t next(uint64_t s[4])
{
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return result;
}

void thread_random(struct thread *self, void *out, size_t size)
{
	uint8_t *to = out;
	uint64_t word;

	thread_id(self);
	for (; size >= sizeof(word); size -= sizeof(word), to += sizeof(word)) {
		word = next(self->random);
		memcpy(to, &word, sizeof(word));
	}
	if (size) {
		word = next(self->random);
		memcpy(to, &word, size);
	}
}
