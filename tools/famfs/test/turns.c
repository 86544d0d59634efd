// SPDX-License-Identifier: GPL-2.0
/*
 * Hosts that take turns.
 */

#include "turns.h"

#include <stdlib.h>
#include <ucontext.h>

#define STACK_SIZE	(1u << 20)

struct turns_host {
	struct media media;
	struct media *inner;
	ucontext_t context;
	char *stack;
	void (*run)(unsigned int host);
	bool done;
};

static struct {
	struct turns_host hosts[TURNS_HOSTS];
	struct double_memory *memory;
	ucontext_t caller;
	void (*check)(void);
	const struct turns_switch *switches;
	enum turns_landing landing;
	uint32_t accesses, next;
	unsigned int now;
	bool running;
} turns;

/* Of those that have not ended, the one that comes @by after this one goes on. */
static void turns_switch(unsigned int by)
{
	unsigned int was = turns.now, to = was, others = 0;

	for (unsigned int i = 1; i < TURNS_HOSTS; i++) {
		unsigned int host = (was + i) % TURNS_HOSTS;

		if (!turns.hosts[host].done && others < by) {
			to = host;
			others++;
		}
	}
	if (to == was)
		return;
	turns.now = to;
	swapcontext(&turns.hosts[was].context, &turns.hosts[to].context);
}

static void turns_access(void)
{
	if (!turns.running)
		return;
	if (turns.check)
		turns.check();
	if (turns.landing == TURNS_AT_ONCE)
		double_settle(turns.memory);
	turns.accesses++;
	if (turns.next < TURNS_SWITCHES &&
	    turns.switches[turns.next].at == turns.accesses)
		turns_switch(turns.switches[turns.next++].by);
}

static int turns_read(struct media *media, uint64_t offset, void *buf,
		      size_t len, unsigned int how)
{
	struct turns_host *host = (struct turns_host *)media;

	turns_access();
	return host->inner->ops->read(host->inner, offset, buf, len, how);
}

static int turns_write(struct media *media, uint64_t offset, const void *buf,
		       size_t len, unsigned int how)
{
	struct turns_host *host = (struct turns_host *)media;

	turns_access();
	return host->inner->ops->write(host->inner, offset, buf, len, how);
}

static void turns_settle(struct media *media)
{
	struct turns_host *host = (struct turns_host *)media;

	turns_access();
	host->inner->ops->settle(host->inner);
}

static void turns_close(struct media *media)
{
	(void)media;
}

struct media *turns_media(unsigned int host)
{
	return &turns.hosts[host].media;
}

void turns_begin(struct double_memory *memory)
{
	static const struct media_ops ops = {
		.read = turns_read,
		.write = turns_write,
		.settle = turns_settle,
		.close = turns_close,
	};

	turns.memory = memory;
	for (unsigned int i = 0; i < TURNS_HOSTS; i++) {
		struct turns_host *host = &turns.hosts[i];

		host->inner = &memory->hosts[i].media;
		host->media.ops = &ops;
		host->media.size = memory->size;
		host->stack = malloc(STACK_SIZE);
		if (!host->stack)
			abort();
	}
}

void turns_end(void)
{
	for (unsigned int i = 0; i < TURNS_HOSTS; i++)
		free(turns.hosts[i].stack);
}

static void turns_main(int number)
{
	struct turns_host *host = &turns.hosts[number];

	host->run((unsigned int)number);
	host->done = true;
	turns_switch(1);
}

/* Alone here: getcontext() may return twice, for all that a compiler knows. */
static void turns_prepare(struct turns_host *host,
			  void (*run)(unsigned int host))
{
	host->run = run;
	host->done = !run;
	getcontext(&host->context);
	host->context.uc_stack.ss_sp = host->stack;
	host->context.uc_stack.ss_size = STACK_SIZE;
	host->context.uc_link = &turns.caller;
	makecontext(&host->context, (void (*)(void))turns_main, 1,
		    (int)(host - turns.hosts));
}

uint32_t turns_run(void (*const run[TURNS_HOSTS])(unsigned int host),
		   unsigned int first,
		   const struct turns_switch switches[TURNS_SWITCHES],
		   enum turns_landing landing, void (*check)(void))
{
	turns.check = check;
	turns.switches = switches;
	turns.landing = landing;
	turns.memory->chaos = landing == TURNS_CHANCE ? 64 : 0;
	turns.accesses = 0;
	turns.next = 0;
	turns.now = first;
	for (unsigned int i = 0; i < TURNS_HOSTS; i++)
		turns_prepare(&turns.hosts[i], run[i]);
	turns.running = true;
	swapcontext(&turns.caller, &turns.hosts[first].context);
	turns.running = false;
	turns.memory->chaos = 0;
	return turns.accesses;
}
