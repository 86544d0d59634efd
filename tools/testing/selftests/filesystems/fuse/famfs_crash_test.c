// SPDX-License-Identifier: GPL-2.0
/*
 * Files that grow and shrink, and a crash at any point: tasks, servers,
 * connections and hosts that end, errors, and a server that has something else
 * to do in the middle.  Whatever comes of it is compared with a model of what
 * the contract allows:
 *
 * - the server is never told more than what has been zeroed or written,
 * - memory that the server has back, or that the heir has, is never written,
 *   and nothing that was in memory before is ever seen,
 * - bytes for which fsync or close returned 0 are there, on the next host too,
 * - what returned 0 is in effect, and nothing fails without a cause.
 *
 * FAMFS_SEED chooses where histories begin, FAMFS_HISTORIES how many there are,
 * FAMFS_SECONDS how long each test may go on, FAMFS_FAILURES after how many it
 * ends.  FAMFS_SCRIPT, FAMFS_LOG.
 */
#include <time.h>

#include "tfs_crash_history.h"
#include "tfs_test.h"

/* Failures after which a test ends, and those of one script in it. */
#define TOLD		40
#define TOLD_SCRIPT	4

static struct crash crash;

FIXTURE(crash)
{
	struct tfs_env env;
	struct timespec begun;
	int failed;
};

FIXTURE_SETUP(crash)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	why = crash_init(&crash, &self->env);
	if (why)
		SKIP(return, "%s", why);
	if (getenv("FAMFS_LOG"))
		crash.log = stdout;
	clock_gettime(CLOCK_MONOTONIC, &self->begun);
}

FIXTURE_TEARDOWN(crash)
{
	crash_exit(&crash);
	TFS_TEARDOWN();
}

static long number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 0) : otherwise;
}

static bool is_full(void)
{
	return getenv("FAMFS_FULL");
}

static bool time_left(FIXTURE_DATA(crash) * self, long seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return !crash.stuck && self->failed < number("FAMFS_FAILURES", TOLD) &&
	       now.tv_sec - self->begun.tv_sec < number("FAMFS_SECONDS",
							seconds);
}

/* Each backend, transport and mode has histories of its own. */
static __u64 first_seed(void)
{
	static const char *const names[] = { "FAMFS_BACKEND", "FAMFS_TRANSPORT",
					     "FAMFS_OPEN_MODE" };
	__u64 seed = 0;
	const char *p;
	int i;

	if (!is_full())
		return 1;
	for (i = 0; i < 3; i++)
		for (p = getenv(names[i]); p && *p; p++)
			seed = seed * 31 + *p;
	return seed % 1000 * 10000 + 1;
}

/* The shortest history that fails, and its steps. */
static void tell_history(struct __test_metadata *const _metadata,
			 struct history *h)
{
	TH_LOG("seed %llu: %s", h->seed, crash.sh->wrong);
	if (crash.stuck)
		return;
	history_shrink(&crash, h, is_full() ? 20 : 3);
	crash.log = crash.log ?: stdout;
	if (history_run(&crash, h))
		TH_LOG("seed %llu passes when it is run again", h->seed);
	else
		TH_LOG("seed %llu: %s", h->seed, crash.sh->wrong);
	crash.log = getenv("FAMFS_LOG") ? stdout : NULL;
}

TEST_F_TIMEOUT(crash, G2_histories_with_crashes, 700)
{
	long n = number("FAMFS_HISTORIES", is_full() ? 4000 : 100), i;
	__u64 seed = number("FAMFS_SEED", first_seed());

	for (i = 0; i < n && time_left(self, is_full() ? 400 : 60); i++) {
		struct history h = { .seed = seed + i,
				     .steps = HISTORY_STEPS };

		if (history_run(&crash, &h))
			continue;
		self->failed++;
		tell_history(_metadata, &h);
	}
	TH_LOG("%ld histories from seed %llu on, %llu operations, %llu crashes, %d failed",
	       i, seed, crash.ops, crash.crashes, self->failed);
	EXPECT_EQ(0, self->failed);
}

/* One script, one way to go wrong. */
static __u32 try_script(struct __test_metadata *const _metadata,
			FIXTURE_DATA(crash) * self,
			const struct script *s, const struct crash_op *plan)
{
	struct crash_op op = s->op;
	__u32 requests;

	if (script_run(&crash, s, plan, &requests))
		return requests;
	op.how = plan->how;
	op.at = plan->at;
	op.error = plan->error;
	op.meanwhile = plan->meanwhile;
	TH_LOG("%s: %s", s->name, crash_op_text(&op));
	TH_LOG("    %s", crash.sh->wrong);
	self->failed++;
	return 0;
}

/* All that can happen at one request. */
static const struct crash_op plans[] = {
	{ .how = HOW_QUEUED },
	{ .how = HOW_READ },
	{ .how = HOW_BEFORE },
	{ .how = HOW_DONE },
	{ .how = HOW_ANSWERED },
	{ .how = HOW_ABORT },
	{ .how = HOW_MEANWHILE, .meanwhile = OP_PUSH },
	{ .how = HOW_MEANWHILE, .meanwhile = OP_AHEAD },
	{ .how = HOW_MEANWHILE, .meanwhile = OP_MOVE },
	{ .how = HOW_MEANWHILE, .meanwhile = OP_REVOKE },
	{ .how = HOW_MEANWHILE, .meanwhile = OP_TRADE },
	{ .how = HOW_FAIL, .error = -EIO },
	{ .how = HOW_FAIL, .error = -ENOSPC },
	{ .how = HOW_FAIL, .error = -EROFS },
	{ .how = HOW_FAIL, .error = -EINTR },
	{ .how = HOW_FAIL, .error = -ENOMEM },
};

#define PLANS ARRAY_SIZE(plans)

static bool script_wanted(const struct script *s)
{
	const char *name = getenv("FAMFS_SCRIPT");

	return !name || strstr(s->name, name);
}

/* Each plan at each request that the script's operation takes, or some. */
static __u64 crash_at_each(struct __test_metadata *const _metadata,
			   FIXTURE_DATA(crash) * self,
			   const struct script *s, __u64 n, __u64 every)
{
	struct crash_op plan = { .how = HOW_WELL };
	__u32 requests = try_script(_metadata, self, s, &plan), i;
	int failed = self->failed + TOLD_SCRIPT;

	for (i = 0; i < requests * PLANS && self->failed < failed &&
	     time_left(self, is_full() ? 300 : 12); i++) {
		if (++n % every)
			continue;
		plan = plans[i % PLANS];
		plan.at = 1 + i / PLANS;
		try_script(_metadata, self, s, &plan);
	}
	return n;
}

TEST_F_TIMEOUT(crash, G2_crash_at_each_request, 700)
{
	__u64 n = number("FAMFS_SEED", 0), every = is_full() ? 1 : 7;
	const struct script *s;

	every = number("FAMFS_EVERY", every);
	for (s = scripts; s < scripts + script_count; s++)
		if (script_wanted(s))
			n = crash_at_each(_metadata, self, s, n, every);
	TH_LOG("%llu crashes of %llu", crash.crashes, n);
	EXPECT_EQ(0, self->failed);
}

TEST_F_TIMEOUT(crash, G2_task_is_killed_at_each_step_of_zeroing, 700)
{
	const struct script *s;
	struct crash_op plan = { .how = HOW_STEP };

	for (s = scripts; s < scripts + script_count; s++) {
		if (!s->large || !script_wanted(s))
			continue;
		for (plan.at = 0; plan.at < 3 &&
		     time_left(self, is_full() ? 60 : 10); plan.at++)
			try_script(_metadata, self, s, &plan);
	}
	EXPECT_EQ(0, self->failed);
}

TEST_HARNESS_MAIN
