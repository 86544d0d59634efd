// SPDX-License-Identifier: GPL-2.0
/*
 * Pushes that are to be refused: what is wrong with them is told by an errno of
 * the server's write, and nothing changes for whoever uses the file.
 *
 * What is easily wrong here: a map that is checked while it is being put in
 * place, so that half of it stays; a message that is taken for another because
 * its length fits; a push that asks the server, which waits for its end.
 */
#include <sys/uio.h>

#include "tfs_bad_fmaps.h"
#include "tfs_test.h"

#define PAGE	4096UL

FIXTURE(push_invalid)
{
	struct tfs_env env;
	struct tfs_msg good;		/* the map of "f" */
	int dev;			/* for notifications past the server */
	int fd;
	char *map;
};

FIXTURE_SETUP(push_invalid)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, tfs_fill(&self->env, 8 * MiB));
	tfs_msg_simple(&self->good, 40 * PAGE, 0, 6 * MiB, 40 * PAGE);
	tfs_add_mapped(&self->env, "f", &self->good);
	tfs_add_simple(&self->env, "g", PAGE, 0, 7 * MiB);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, 40 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	tfs_dirty(self->map);
	tfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(push_invalid)
{
	/* Nothing has changed, and nobody was asked for anything. */
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &self->good));
	EXPECT_FETCHES(0);
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	munmap(self->map, 40 * PAGE);
	close(self->fd);
	close(self->dev);
	EXPECT_EQ(0, tfs_umount(&self->env));
	tfs_msg_exit(&self->good);
	TFS_TEARDOWN();
}

static int push(FIXTURE_DATA(push_invalid) * self, const void *map, size_t len)
{
	return tfs_push_to(self->dev, TFS_INO(0), 0, 0, 0, map, len);
}

static void try_faults(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(push_invalid) * self,
		       void (*good)(struct tfs_msg *m),
		       const struct tfs_fault *f)
{
	struct tfs_msg m;

	for (; f->what; f++) {
		good(&m);
		tfs_spoil(&m, f);
		EXPECT_EQ(-f->err, push(self, m.buf, m.len)) {
			TH_LOG("accepted or refused wrongly: %s", f->what);
		}
		EXPECT_EQ(0, tfs_check_all(self->fd, self->map,
					   &self->good)) {
			TH_LOG("changed by: %s", f->what);
		}
		EXPECT_EQ(1, tfs_maps(&self->env));
		tfs_msg_exit(&m);
	}
	/* Nothing of them stays in the way of a good one. */
	good(&m);
	EXPECT_EQ(0, push(self, m.buf, m.len));
	EXPECT_EQ(0, tfs_check_all(self->fd, self->map, &m));
	EXPECT_EQ(0, push(self, self->good.buf, self->good.len));
	tfs_msg_exit(&m);
}

TEST_F(push_invalid, M6_malformed_simple_maps)
{
	try_faults(_metadata, self, tfs_good_simple, tfs_simple_faults);
}

TEST_F(push_invalid, M6_malformed_striped_maps)
{
	try_faults(_metadata, self, tfs_good_striped, tfs_striped_faults);
}

TEST_F(push_invalid, M6_every_wrong_length)
{
	unsigned char buf[128] = {};
	struct tfs_msg m;
	size_t len;

	tfs_good_simple(&m);
	memcpy(buf, m.buf, m.len);
	/* None at all among them: that a file has no map cannot be pushed. */
	for (len = 0; len < m.len + 26; len++) {
		if (len == m.len)
			continue;
		EXPECT_EQ(-EINVAL, push(self, buf, len)) {
			TH_LOG("%zu bytes", len);
		}
	}
	tfs_msg_exit(&m);
}

/* The notification as the test writes it. */
static int note(FIXTURE_DATA(push_invalid) * self,
		const struct fuse_notify_fmap_out *out, size_t out_len,
		const struct tfs_msg *m)
{
	struct fuse_out_header oh = {
		.len = sizeof(oh) + out_len + (m ? m->len : 0),
		.error = FUSE_NOTIFY_FMAP,
	};
	struct iovec iov[] = {
		{ &oh, sizeof(oh) }, { (void *)out, out_len },
		{ m ? m->buf : NULL, m ? m->len : 0 },
	};

	return writev(self->dev, iov, 3) < 0 ? -errno : 0;
}

TEST_F(push_invalid, M6_malformed_notifications)
{
	const struct fuse_notify_fmap_out good = { .nodeid = TFS_INO(0) };
	struct fuse_notify_fmap_out out = good;
	size_t len = sizeof(out);
	struct tfs_msg m;

	tfs_good_simple(&m);
	EXPECT_EQ(-EINVAL, note(self, &out, 0, NULL));
	EXPECT_EQ(-EINVAL, note(self, &out, 8, NULL));
	EXPECT_EQ(-EINVAL, note(self, &out, len - 1, NULL));
	EXPECT_EQ(-EINVAL, note(self, &out, len, NULL));
	out.reserved = 1;
	EXPECT_EQ(-EINVAL, note(self, &out, len, &m));
	out = good;
	out.size = m.len;
	EXPECT_EQ(-EINVAL, note(self, &out, len, &m));
	out = good;
	out.offset = 1;
	EXPECT_EQ(-EINVAL, note(self, &out, len, &m));
	out = good;
	for (out.flags = 4; out.flags; out.flags <<= 1)
		EXPECT_EQ(-EINVAL, note(self, &out, len, &m));
	out.flags = FUSE_NOTIFY_FMAP_REVOKE | FUSE_NOTIFY_FMAP_PART;
	EXPECT_EQ(-EINVAL, note(self, &out, len, NULL));
	out.size = m.len;
	EXPECT_EQ(-EINVAL, note(self, &out, len, &m));
	/* To revoke is to say nothing else. */
	out = good;
	out.flags = FUSE_NOTIFY_FMAP_REVOKE;
	EXPECT_EQ(-EINVAL, note(self, &out, len, &m));
	out.size = 1;
	EXPECT_EQ(-EINVAL, note(self, &out, len, NULL));
	out.size = 0;
	out.offset = 1;
	EXPECT_EQ(-EINVAL, note(self, &out, len, NULL));
	out.offset = 0;
	out.reserved = 1;
	EXPECT_EQ(-EINVAL, note(self, &out, len, NULL));
	tfs_msg_exit(&m);
}

TEST_F(push_invalid, M6_nodes_that_cannot_be_mapped)
{
	static const unsigned int types[] = { S_IFIFO, S_IFLNK, S_IFSOCK,
					      S_IFCHR, S_IFDIR };
	const struct tfs_msg *m = &self->good;
	char path[128], name[] = "node 0";
	struct stat st;
	size_t i;

	EXPECT_EQ(-ENOENT, tfs_push_map(self->dev, 1, m));
	EXPECT_EQ(-ENOENT, tfs_push_map(self->dev, 1000, m));
	EXPECT_EQ(-ENOENT, tfs_revoke(self->dev, 1000));
	EXPECT_EQ(-ENOENT, tfs_push_to(self->dev, 0, 0, 0, 0, m->buf,
				       m->len));
	/* The root is a folder. */
	EXPECT_EQ(-EINVAL, tfs_push_to(self->dev, FUSE_ROOT_ID, 0, 0, 0,
				       m->buf, m->len));
	EXPECT_EQ(-EINVAL, tfs_push_to(self->dev, FUSE_ROOT_ID,
				       FUSE_NOTIFY_FMAP_REVOKE, 0, 0, NULL,
				       0));
	for (i = 0; i < ARRAY_SIZE(types); i++, name[5]++) {
		int node = tfs_add_file(&self->env.srv, name, 0);

		self->env.srv.st->files[node].mode = types[i] | 0600;
		snprintf(path, sizeof(path), "%s/%s", self->env.dir, name);
		ASSERT_EQ(0, lstat(path, &st));
		ASSERT_EQ(types[i], st.st_mode & S_IFMT);
		EXPECT_EQ(-EINVAL, tfs_push_map(self->dev, node, m));
		EXPECT_EQ(-EINVAL, tfs_revoke(self->dev, node));
	}
}

/* It was never asked about, and a push does not ask. */
TEST_F(push_invalid, M6_unknown_device)
{
	struct tfs_msg m;

	tfs_msg_init(&m, 2 * PAGE, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(&m, 0, 0, PAGE);
	tfs_msg_extent(&m, 5, 0, PAGE);
	EXPECT_EQ(-ENODEV, push(self, m.buf, m.len));
	tfs_msg_exit(&m);
	if (self->env.ndevs > 1) {
		tfs_msg_simple(&m, PAGE, 1, 0, PAGE);
		EXPECT_EQ(-ENODEV, push(self, m.buf, m.len));
		tfs_msg_exit(&m);
	}
}

TEST_F(push_invalid, M6_end_of_the_device)
{
	__u64 end = self->env.devs[0].size;
	struct tfs_msg m;

	tfs_msg_simple(&m, PAGE, 0, end - PAGE, 2 * PAGE);
	EXPECT_EQ(-ERANGE, push(self, m.buf, m.len));
	tfs_msg_exit(&m);
	tfs_msg_simple(&m, PAGE, 0, end, PAGE);
	EXPECT_EQ(-ERANGE, push(self, m.buf, m.len));
	tfs_msg_exit(&m);
}

TEST_F(push_invalid, M3_pages_of_another_file)
{
	struct tfs_msg m;
	int g, i;

	g = tfs_open(&self->env, "g", O_RDWR);
	ASSERT_LE(0, g);
	tfs_counts_reset(&self->env.srv);
	for (i = 0; i < 3; i++) {
		tfs_msg_init(&m, 5 * PAGE, FUSE_FMAP_EXT_SIMPLE);
		/* The first page, the last one, one in the middle. */
		tfs_msg_extent(&m, 0, 7 * MiB - i * PAGE, 3 * PAGE);
		tfs_msg_extent(&m, 0, 6 * MiB, 2 * PAGE);
		EXPECT_EQ(-EEXIST, push(self, m.buf, m.len));
		EXPECT_EQ(0, tfs_check_all(self->fd, self->map,
					   &self->good));
		EXPECT_EQ(2, tfs_maps(&self->env));
		tfs_msg_exit(&m);
	}
	/* What the refused ones would have taken is still free. */
	tfs_add_simple(&self->env, "next", PAGE, 0, 7 * MiB + PAGE);
	i = tfs_open(&self->env, "next", O_RDWR);
	EXPECT_LE(0, i);
	close(i);
	close(g);
	tfs_counts_reset(&self->env.srv);
	tfs_msg_simple(&m, PAGE, 0, 6 * MiB, PAGE);
	EXPECT_EQ(-EEXIST, tfs_push_map(self->dev, 1, &m));
	tfs_msg_exit(&m);
}

/* A connection that has not asked for maps has none to be pushed. */
TEST_F(push_invalid, N2_connection_without_maps)
{
	struct tfs_env other = self->env;
	__u64 size;
	int dev;

	snprintf(other.dir, sizeof(other.dir), "/tmp/famfs_XXXXXX");
	ASSERT_NE(NULL, mkdtemp(other.dir));
	ASSERT_EQ(0, tfs_server_init(&other.srv));
	other.srv.st->want &= ~FUSE_DAX_FMAP;
	tfs_add_data(&other.srv, "plain", "server", 6);
	dev = dup(other.srv.fd);
	ASSERT_EQ(0, tfs_mount_fork(&other));
	ASSERT_EQ(0, tfs_stat_size(&other, "plain", &size));
	EXPECT_EQ(-EOPNOTSUPP, tfs_push_map(dev, 0, &self->good));
	EXPECT_EQ(-EOPNOTSUPP, tfs_revoke(dev, 0));
	EXPECT_EQ(-EOPNOTSUPP, tfs_push_to(dev, TFS_INO(0),
					   FUSE_NOTIFY_FMAP_PART, 64, 0,
					   self->good.buf, 8));
	close(dev);
	EXPECT_EQ(0, tfs_umount(&other));
	EXPECT_EQ(0, tfs_env_exit(&other));
}

TEST_HARNESS_MAIN
