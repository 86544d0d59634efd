// SPDX-License-Identifier: GPL-2.0
/*
 * Maps that the server sends by itself: before the file is opened, while an
 * open waits for it, and in place of the map that the file has.
 *
 * The device holds a pattern that tells all of its words apart, so that each
 * byte of a file shows by which map it was found.
 *
 * What is easily wrong here: a page table or a page cache entry of the old map
 * that stays, so that a process goes on reading and writing memory that belongs
 * to another file by now; a server with one thread that waits for itself when
 * it pushes in the middle of a request; an old reply that comes after the push
 * and undoes it.
 */
#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(PMD + 8 * PAGE)
#define MAPLEN	(PMD + 16 * PAGE)
#define FILLED	(16 * MiB)
#define AWAY	(8 * MiB)		/* where the second map lies */

FIXTURE(push)
{
	struct tfs_env env;
	struct tfs_msg a, b;		/* two good maps of "f" */
	int file;
	int dev;			/* for notifications past the server */
};

FIXTURE_SETUP(push)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, FILLED));
	tfs_msg_simple(&self->a, SIZE, 0, 0, SIZE);
	tfs_msg_simple(&self->b, SIZE, 0, AWAY, SIZE);
	self->file = tfs_add_mapped(&self->env, "f", &self->a);
	tfs_add_simple(&self->env, "g", SIZE, 0, 4 * MiB);
	tfs_add_data(&self->env.srv, "plain", "server", 6);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	/* The device must be known before anything can be pushed. */
	close(ASSERT_OPEN("g", O_RDONLY));
	tfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(push)
{
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_READ));
	EXPECT_EQ(0, tfs_count(&self->env.srv, FUSE_GET_DAXDEV));
	tfs_msg_exit(&self->a);
	tfs_msg_exit(&self->b);
	close(self->dev);
	EXPECT_EQ(0, tfs_umount(&self->env));
	TFS_TEARDOWN();
}

static int push(FIXTURE_DATA(push) * self, const struct tfs_msg *m)
{
	return tfs_push_map(self->dev, self->file, m);
}

static char *map_file(int fd, int flags)
{
	return mmap(NULL, MAPLEN, PROT_READ | PROT_WRITE, flags, fd, 0);
}

TEST_F(push, M6_map_of_a_file_that_was_never_opened)
{
	__u64 size;
	int fd;

	/* Of a node that the kernel does not know there is nothing to map. */
	EXPECT_EQ(-ENOENT, push(self, &self->b));
	ASSERT_EQ(0, tfs_stat_size(&self->env, "f", &size));
	EXPECT_EQ(0, push(self, &self->b));
	fd = ASSERT_OPEN("f", O_RDONLY);
	EXPECT_FETCHES(0);
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->b));
	close(fd);
}

/* Holds the map back from an open until another one has been pushed. */
static void push_while_open_waits(struct __test_metadata *const _metadata,
				  FIXTURE_DATA(push) * self)
{
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "f", .flags = O_RDWR };

	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	ASSERT_EQ(0, tfs_job_start(&open));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(0, push(self, &self->b));
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&open, TFS_SOON));
	ASSERT_LE(0, open.result);
	EXPECT_EQ(0, tfs_check_all(open.result, NULL, &self->b));
	EXPECT_EQ(1, tfs_fetches(&self->env.srv));
	EXPECT_EQ(2, tfs_maps(&self->env));
	close(open.result);
}

TEST_F(push, M6_push_wins_over_a_reply_with_a_map)
{
	push_while_open_waits(_metadata, self);
}

TEST_F(push, M6_push_wins_over_an_empty_reply)
{
	self->env.srv.st->files[self->file].map_len = 0;
	push_while_open_waits(_metadata, self);
}

/* Even one that would have been refused. */
TEST_F(push, M6_push_wins_over_a_reply_with_the_same_pages)
{
	tfs_set_map(&self->env.srv, self->file, self->b.buf, self->b.len);
	push_while_open_waits(_metadata, self);
}

/* What the server has taken back, an older reply does not bring again. */
TEST_F(push, M6_revocation_wins_over_a_reply)
{
	struct tfs_job open = { .run = tfs_job_open, .env = &self->env,
				.name = "f", .flags = O_RDWR };

	rule_hold(&self->env.srv, FUSE_GET_FMAP, TFS_ANY);
	rule_raw(&self->env.srv, FUSE_GET_FMAP, TFS_ANY, self->b.buf,
		 self->b.len, 1);
	ASSERT_EQ(0, tfs_job_start(&open));
	ASSERT_EQ(0, tfs_wait_held(&self->env.srv, 1));
	EXPECT_EQ(0, tfs_revoke(self->dev, self->file));
	rules_release(&self->env.srv);
	ASSERT_TRUE(tfs_job_done(&open, TFS_SOON));
	ASSERT_LE(0, open.result);
	EXPECT_EQ(0, tfs_check_all(open.result, NULL, &self->a));
	EXPECT_EQ(2, tfs_fetches(&self->env.srv));
	close(open.result);
}

/* It has one thread: what waits for it would wait for ever. */
TEST_F(push, G4_server_pushes_in_the_middle_of_requests)
{
	struct tfs_server *srv = &self->env.srv;
	int fd = ASSERT_OPEN("f", O_RDWR);
	char *map = map_file(fd, MAP_SHARED);
	size_t i;

	ASSERT_NE(MAP_FAILED, map);
	tfs_dirty(map);
	for (i = 0; tfs_requests[i].what; i++) {
		const struct tfs_request *r = &tfs_requests[i];
		struct tfs_msg *m = i % 2 ? &self->a : &self->b;
		__u64 before = tfs_count(srv, r->opcode);

		if (r->opcode == FUSE_OPEN && srv->st->open_mode == TFS_NOOPEN)
			continue;
		srv->st->notify_errno = -1;
		ASSERT_EQ(0, rule_push(srv, r->opcode, self->file,
				       m->buf, m->len, 1));
		EXPECT_EQ(0, r->run(&self->env, fd)) {
			TH_LOG("%s failed: %d", r->what, errno);
		}
		EXPECT_LT(before, tfs_count(srv, r->opcode));
		EXPECT_EQ(0, srv->st->notify_errno);
		EXPECT_EQ(0, tfs_check_all(fd, map, m)) {
			TH_LOG("pushed in the middle of %s", r->what);
		}
		rules_clear(srv);
	}
	munmap(map, MAPLEN);
	close(fd);
}

/* The map is on its way twice: pushed, and in the reply. */
TEST_F(push, G4_server_pushes_before_it_replies_to_get_fmap)
{
	struct tfs_server *srv = &self->env.srv;
	int fd;

	srv->st->open_mode = TFS_GETFMAP;
	srv->st->notify_errno = -1;
	rule_push(srv, FUSE_GET_FMAP, self->file, self->b.buf,
		  self->b.len, 1);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(0, srv->st->notify_errno);
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->b));
	close(fd);
	EXPECT_EQ(2, tfs_maps(&self->env));
}

TEST_F(push, G4_server_pushes_before_it_replies_to_a_first_open)
{
	struct tfs_server *srv = &self->env.srv;
	int fd;

	if (srv->st->open_mode == TFS_NOOPEN)
		SKIP(return, "the server has no opens");
	srv->st->open_mode = TFS_OPENFMAP;
	srv->st->notify_errno = -1;
	rule_push(srv, FUSE_OPEN, self->file, self->b.buf, self->b.len,
		  1);
	fd = ASSERT_OPEN("f", O_RDWR);
	EXPECT_EQ(0, srv->st->notify_errno);
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->b));
	close(fd);
	EXPECT_COUNT(0, FUSE_GET_FMAP);
	EXPECT_EQ(2, tfs_maps(&self->env));
}

/* Both sizes of pages, dirty and clean, and a copy of a private mapping. */
TEST_F(push, M6_every_access_finds_the_new_place)
{
	int fd = ASSERT_OPEN("f", O_RDWR);
	char *map = map_file(fd, MAP_SHARED), *small = map_file(fd, MAP_SHARED);
	char *copy = map_file(fd, MAP_PRIVATE);
	int i;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED, small);
	ASSERT_NE(MAP_FAILED, copy);
	madvise(small, MAPLEN, MADV_NOHUGEPAGE);
	for (i = 1; i < 5; i++) {
		struct tfs_msg *m = i % 2 ? &self->b : &self->a;

		tfs_dirty(map + PAGE);
		tfs_dirty(small + 3 * PAGE);
		tfs_dirty(map + PMD + PAGE);
		copy[5] = 'c';
		EXPECT_EQ(0, push(self, m));
		EXPECT_EQ(0, tfs_check_all(fd, map, m));
		EXPECT_EQ(0, tfs_check_all(fd, small, m));
		/* What was copied is the process's own. */
		EXPECT_EQ('c', copy[5]);
		EXPECT_EQ(16, tfs_mismatch(m, PAGE, copy + PAGE, 16));
	}
	EXPECT_FETCHES(1);
	munmap(map, MAPLEN);
	munmap(small, MAPLEN);
	munmap(copy, MAPLEN);
	close(fd);
}

/* Stores and writes after the push go to the new place, and nowhere else. */
TEST_F(push, M6_every_store_goes_to_the_new_place)
{
	int fd = ASSERT_OPEN("f", O_RDWR), other;
	char *map = map_file(fd, MAP_SHARED), c = 0;
	struct tfs_msg old;

	ASSERT_NE(MAP_FAILED, map);
	tfs_dirty(map + PAGE);
	tfs_dirty(map + PMD);
	ASSERT_EQ(0, push(self, &self->b));
	map[PAGE] ^= 1;
	map[PMD] ^= 1;
	EXPECT_EQ(1, pread(fd, &c, 1, PAGE));
	EXPECT_EQ(map[PAGE], c);
	EXPECT_EQ(1, pwrite(fd, "w", 1, PMD + PAGE));
	EXPECT_EQ('w', map[PMD + PAGE]);
	EXPECT_EQ(0, fsync(fd));
	/* The old pages are free for another file, and as they were. */
	tfs_msg_simple(&old, SIZE, 0, 0, SIZE);
	tfs_add_mapped(&self->env, "old", &old);
	other = ASSERT_OPEN("old", O_RDONLY);
	EXPECT_EQ(SIZE, tfs_check(other, &old));
	tfs_msg_exit(&old);
	close(other);
	munmap(map, MAPLEN);
	close(fd);
}

TEST_F(push, M6_file_grows)
{
	int fd = ASSERT_OPEN("f", O_RDWR);
	struct tfs_msg big;
	char *map;

	tfs_msg_init(&big, SIZE + 4 * PAGE - 9, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&big, 0, 0, SIZE);
	tfs_msg_extent(&big, 0, AWAY, 4 * PAGE);
	map = map_file(fd, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, tfs_check_all(fd, map, &self->a));
	EXPECT_EQ(SIGBUS, load_byte(map + SIZE));
	EXPECT_EQ(0, push(self, &big));
	EXPECT_EQ(0, tfs_check_all(fd, map, &big));
	EXPECT_EQ(5, pwrite(fd, "grown", 5, SIZE + PAGE));
	EXPECT_EQ('g', map[SIZE + PAGE]);
	EXPECT_EQ(SIGBUS, load_byte(map + SIZE + 4 * PAGE));
	/* The size is the map's, and fixed as before. */
	EXPECT_ERRNO(EFBIG, pwrite(fd, "x", 1, SIZE + 4 * PAGE - 9));
	munmap(map, MAPLEN);
	close(fd);
	tfs_msg_exit(&big);
}

TEST_F(push, M6_file_shrinks)
{
	int fd = ASSERT_OPEN("f", O_RDWR), other;
	char *map = map_file(fd, MAP_SHARED), c;
	struct tfs_msg few;

	ASSERT_NE(MAP_FAILED, map);
	tfs_dirty(map);
	tfs_dirty(map + PMD + PAGE);
	tfs_msg_simple(&few, 3 * PAGE - 100, 0, 0, 4 * PAGE);
	EXPECT_EQ(0, push(self, &few));
	EXPECT_EQ(0, tfs_check_all(fd, map, &few));
	EXPECT_EQ(0, load_byte(map + 3 * PAGE - 1));
	EXPECT_EQ(SIGBUS, load_byte(map + 3 * PAGE));
	EXPECT_EQ(SIGBUS, load_byte(map + 5 * PAGE));
	EXPECT_EQ(SIGBUS, store_byte(map + PMD + PAGE, 'x'));
	EXPECT_EQ(0, pread(fd, &c, 1, 3 * PAGE - 100));
	EXPECT_ERRNO(EFBIG, pwrite(fd, "x", 1, 3 * PAGE));
	/* What it gave up is free, what it kept is not. */
	tfs_add_simple(&self->env, "rest", PAGE, 0, 4 * PAGE);
	other = ASSERT_OPEN("rest", O_RDWR);
	EXPECT_EQ(1, pwrite(other, "r", 1, 0));
	close(other);
	tfs_add_simple(&self->env, "kept", PAGE, 0, 3 * PAGE);
	EXPECT_OPEN_FAILS(EEXIST, "kept", O_RDWR);
	munmap(map, MAPLEN);
	close(fd);
	tfs_msg_exit(&few);
}

/* The same pages in another order: no page is ever in two places. */
TEST_F(push, M6_pages_change_places_within_the_file)
{
	int fd = ASSERT_OPEN("f", O_RDWR), i, n;
	char *map = map_file(fd, MAP_SHARED);
	struct tfs_msg m;

	ASSERT_NE(MAP_FAILED, map);
	for (n = 1; n < 8; n++) {
		tfs_msg_init(&m, SIZE, FUSE_FMAP_EXT_SIMPLE);
		for (i = n; i > 0; i--)
			tfs_msg_extent(&m, 0, PMD + (i - 1) * PAGE, PAGE);
		tfs_msg_extent(&m, 0, PMD + n * PAGE, (8 - n) * PAGE);
		tfs_msg_extent(&m, 0, 0, PMD);
		EXPECT_EQ(0, push(self, &m));
		EXPECT_EQ(0, tfs_check_all(fd, map, &m));
		tfs_dirty(map + n * PAGE);
		tfs_msg_exit(&m);
	}
	munmap(map, MAPLEN);
	close(fd);
}

TEST_F(push, M6_extents_become_stripes)
{
	int fd = ASSERT_OPEN("f", O_RDWR), i;
	char *map = map_file(fd, MAP_SHARED);
	struct tfs_msg m;

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, tfs_check_all(fd, map, &self->a));
	tfs_msg_init(&m, SIZE, FUSE_FMAP_EXT_STRIPED);
	tfs_msg_stripe(&m, SIZE, 2 * PAGE, 4);
	for (i = 0; i < 4; i++)
		tfs_msg_strip(&m, 0, i * MiB, (SIZE / 4 + 2 * PAGE) &
			      ~(2 * PAGE - 1));
	EXPECT_EQ(0, push(self, &m));
	EXPECT_EQ(0, tfs_check_all(fd, map, &m));
	EXPECT_EQ(0, push(self, &self->a));
	EXPECT_EQ(0, tfs_check_all(fd, map, &self->a));
	tfs_msg_exit(&m);
	munmap(map, MAPLEN);
	close(fd);
}

/* As a server does that moves a file to other memory under its users. */
TEST_F(push, M6_data_moves_under_its_readers)
{
	char *data = malloc(SIZE), *map;
	int fd = ASSERT_OPEN("f", O_RDWR), to, i;
	__u64 place[] = { AWAY, 0, AWAY };
	struct tfs_msg m;

	ASSERT_NE(NULL, data);
	memset(data, 'd', SIZE);
	ASSERT_EQ(SIZE, pwrite(fd, data, SIZE, 0));
	map = map_file(fd, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < 3; i++) {
		char name[] = { 't', 'o', '0' + i, '\0' };

		EXPECT_EQ(0, memcmp(map, data, SIZE));
		/* The new place is another file's while it is filled. */
		tfs_add_simple(&self->env, name, SIZE, 0, place[i]);
		to = ASSERT_OPEN(name, O_RDWR);
		ASSERT_EQ(SIZE, pwrite(to, map, SIZE, 0));
		tfs_msg_simple(&m, SIZE, 0, place[i], SIZE);
		EXPECT_EQ(-EEXIST, push(self, &m));
		close(to);
		ASSERT_EQ(0, tfs_evict(&self->env, 1));
		EXPECT_EQ(0, push(self, &m));
		tfs_msg_exit(&m);
		EXPECT_EQ(0, memcmp(map, data, SIZE));
		EXPECT_EQ(1, pwrite(fd, "d", 1, i));
		map[PMD + i] = 'd';
	}
	munmap(map, MAPLEN);
	close(fd);
	free(data);
}

TEST_F(push, M6_ordinary_file_becomes_mapped_when_it_is_closed)
{
	int fd = ASSERT_OPEN("plain", O_RDWR);
	char buf[8] = "";

	self->file = 2;
	EXPECT_EQ(1, pread(fd, buf, 1, 0));
	EXPECT_EQ(-EBUSY, push(self, &self->a));
	EXPECT_EQ(6, pread(fd, buf, 8, 0));
	EXPECT_STREQ("server", buf);
	close(fd);
	EXPECT_EQ(0, tfs_wait_handles(&self->env.srv, 0));
	tfs_counts_reset(&self->env.srv);
	EXPECT_EQ(0, push(self, &self->a));
	fd = ASSERT_OPEN("plain", O_RDWR);
	EXPECT_EQ(0, tfs_check_all(fd, NULL, &self->a));
	EXPECT_FETCHES(0);
	close(fd);
}

/* Its memory is free for others: there is no other thing to it. */
TEST_F(push, M6_pushed_map_goes_with_its_inode)
{
	__u64 size;

	ASSERT_EQ(0, tfs_stat_size(&self->env, "f", &size));
	ASSERT_EQ(0, push(self, &self->b));
	EXPECT_EQ(2, tfs_maps(&self->env));
	ASSERT_EQ(0, tfs_evict(&self->env, 0));
	EXPECT_EQ(-ENOENT, push(self, &self->b));
	close(ASSERT_OPEN("f", O_RDONLY));
	EXPECT_FETCHES(1);
}

TEST_HARNESS_MAIN
