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

#include "famfs_faults.h"
#include "famfs_test.h"

#define PAGE	4096UL

FIXTURE(famfs_refuse)
{
	struct famfs_env env;
	struct famfs_msg good;		/* the map of "f" */
	int dev;			/* for notifications past the server */
	int fd;
	char *map;
};

FIXTURE_SETUP(famfs_refuse)
{
	const char *why = famfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, famfs_fill(&self->env, 8 * MiB));
	famfs_msg_simple(&self->good, 40 * PAGE, 0, 6 * MiB, 40 * PAGE);
	famfs_add_mapped(&self->env, "f", &self->good);
	famfs_add_simple(&self->env, "g", PAGE, 0, 7 * MiB);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	self->fd = famfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, 40 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	famfs_dirty(self->map);
	famfs_counts_reset(&self->env.srv);
}

FIXTURE_TEARDOWN(famfs_refuse)
{
	/* Nothing has changed, and nobody was asked for anything. */
	EXPECT_EQ(0, famfs_check_all(self->fd, self->map, &self->good));
	EXPECT_FETCHES(0);
	EXPECT_COUNT(0, FUSE_GET_DAXDEV);
	munmap(self->map, 40 * PAGE);
	close(self->fd);
	close(self->dev);
	EXPECT_EQ(0, famfs_umount(&self->env));
	famfs_msg_exit(&self->good);
	FAMFS_TEARDOWN();
}

static int push(FIXTURE_DATA(famfs_refuse) * self, const void *map, size_t len)
{
	return famfs_push_to(self->dev, FAMFS_INO(0), 0, 0, 0, map, len);
}

static void try_faults(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(famfs_refuse) * self,
		       void (*good)(struct famfs_msg *m),
		       const struct famfs_fault *f)
{
	struct famfs_msg m;

	for (; f->what; f++) {
		good(&m);
		famfs_spoil(&m, f);
		EXPECT_EQ(-f->err, push(self, m.buf, m.len)) {
			TH_LOG("accepted or refused wrongly: %s", f->what);
		}
		EXPECT_EQ(0, famfs_check_all(self->fd, self->map,
					     &self->good)) {
			TH_LOG("changed by: %s", f->what);
		}
		EXPECT_EQ(1, famfs_maps(&self->env));
		famfs_msg_exit(&m);
	}
	/* Nothing of them stays in the way of a good one. */
	good(&m);
	EXPECT_EQ(0, push(self, m.buf, m.len));
	EXPECT_EQ(0, famfs_check_all(self->fd, self->map, &m));
	EXPECT_EQ(0, push(self, self->good.buf, self->good.len));
	famfs_msg_exit(&m);
}

TEST_F(famfs_refuse, M6_malformed_simple_maps)
{
	try_faults(_metadata, self, famfs_good_simple, famfs_simple_faults);
}

TEST_F(famfs_refuse, M6_malformed_striped_maps)
{
	try_faults(_metadata, self, famfs_good_striped, famfs_striped_faults);
}

TEST_F(famfs_refuse, M6_every_wrong_length)
{
	unsigned char buf[128] = {};
	struct famfs_msg m;
	size_t len;

	famfs_good_simple(&m);
	memcpy(buf, m.buf, m.len);
	/* None at all among them: that a file has no map cannot be pushed. */
	for (len = 0; len < m.len + 26; len++) {
		if (len == m.len)
			continue;
		EXPECT_EQ(-EINVAL, push(self, buf, len)) {
			TH_LOG("%zu bytes", len);
		}
	}
	famfs_msg_exit(&m);
}

/* The notification as the test writes it. */
static int note(FIXTURE_DATA(famfs_refuse) * self,
		const struct fuse_notify_fmap_out *out, size_t out_len,
		const struct famfs_msg *m)
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

TEST_F(famfs_refuse, M6_malformed_notifications)
{
	const struct fuse_notify_fmap_out good = { .nodeid = FAMFS_INO(0) };
	struct fuse_notify_fmap_out out = good;
	size_t len = sizeof(out);
	struct famfs_msg m;

	famfs_good_simple(&m);
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
	famfs_msg_exit(&m);
}

TEST_F(famfs_refuse, M6_nodes_that_cannot_be_mapped)
{
	static const unsigned int types[] = { S_IFIFO, S_IFLNK, S_IFSOCK,
					      S_IFCHR, S_IFDIR };
	const struct famfs_msg *m = &self->good;
	char path[128], name[] = "node 0";
	struct stat st;
	size_t i;

	EXPECT_EQ(-ENOENT, famfs_push_map(self->dev, 1, m));
	EXPECT_EQ(-ENOENT, famfs_push_map(self->dev, 1000, m));
	EXPECT_EQ(-ENOENT, famfs_revoke(self->dev, 1000));
	EXPECT_EQ(-ENOENT, famfs_push_to(self->dev, 0, 0, 0, 0, m->buf,
					 m->len));
	/* The root is a folder. */
	EXPECT_EQ(-EINVAL, famfs_push_to(self->dev, FUSE_ROOT_ID, 0, 0, 0,
					 m->buf, m->len));
	EXPECT_EQ(-EINVAL, famfs_push_to(self->dev, FUSE_ROOT_ID,
					 FUSE_NOTIFY_FMAP_REVOKE, 0, 0, NULL,
					 0));
	for (i = 0; i < ARRAY_SIZE(types); i++, name[5]++) {
		int node = famfs_add_file(&self->env.srv, name, 0);

		self->env.srv.st->files[node].mode = types[i] | 0600;
		snprintf(path, sizeof(path), "%s/%s", self->env.dir, name);
		ASSERT_EQ(0, lstat(path, &st));
		ASSERT_EQ(types[i], st.st_mode & S_IFMT);
		EXPECT_EQ(-EINVAL, famfs_push_map(self->dev, node, m));
		EXPECT_EQ(-EINVAL, famfs_revoke(self->dev, node));
	}
}

/* It was never asked about, and a push does not ask. */
TEST_F(famfs_refuse, M6_unknown_device)
{
	struct famfs_msg m;

	famfs_msg_init(&m, 2 * PAGE, FUSE_FMAP_EXT_SIMPLE);
	famfs_msg_extent(&m, 0, 0, PAGE);
	famfs_msg_extent(&m, 5, 0, PAGE);
	EXPECT_EQ(-ENODEV, push(self, m.buf, m.len));
	famfs_msg_exit(&m);
	if (self->env.ndevs > 1) {
		famfs_msg_simple(&m, PAGE, 1, 0, PAGE);
		EXPECT_EQ(-ENODEV, push(self, m.buf, m.len));
		famfs_msg_exit(&m);
	}
}

TEST_F(famfs_refuse, M6_end_of_the_device)
{
	__u64 end = self->env.devs[0].size;
	struct famfs_msg m;

	famfs_msg_simple(&m, PAGE, 0, end - PAGE, 2 * PAGE);
	EXPECT_EQ(-ERANGE, push(self, m.buf, m.len));
	famfs_msg_exit(&m);
	famfs_msg_simple(&m, PAGE, 0, end, PAGE);
	EXPECT_EQ(-ERANGE, push(self, m.buf, m.len));
	famfs_msg_exit(&m);
}

TEST_F(famfs_refuse, M3_pages_of_another_file)
{
	struct famfs_msg m;
	int g, i;

	g = famfs_open(&self->env, "g", O_RDWR);
	ASSERT_LE(0, g);
	famfs_counts_reset(&self->env.srv);
	for (i = 0; i < 3; i++) {
		famfs_msg_init(&m, 5 * PAGE, FUSE_FMAP_EXT_SIMPLE);
		/* The first page, the last one, one in the middle. */
		famfs_msg_extent(&m, 0, 7 * MiB - i * PAGE, 3 * PAGE);
		famfs_msg_extent(&m, 0, 6 * MiB, 2 * PAGE);
		EXPECT_EQ(-EEXIST, push(self, m.buf, m.len));
		EXPECT_EQ(0, famfs_check_all(self->fd, self->map,
					     &self->good));
		EXPECT_EQ(2, famfs_maps(&self->env));
		famfs_msg_exit(&m);
	}
	/* What the refused ones would have taken is still free. */
	famfs_add_simple(&self->env, "next", PAGE, 0, 7 * MiB + PAGE);
	i = famfs_open(&self->env, "next", O_RDWR);
	EXPECT_LE(0, i);
	close(i);
	close(g);
	famfs_counts_reset(&self->env.srv);
	famfs_msg_simple(&m, PAGE, 0, 6 * MiB, PAGE);
	EXPECT_EQ(-EEXIST, famfs_push_map(self->dev, 1, &m));
	famfs_msg_exit(&m);
}

/* A connection that has not asked for maps has none to be pushed. */
TEST_F(famfs_refuse, N2_connection_without_maps)
{
	struct famfs_env other = self->env;
	__u64 size;
	int dev;

	snprintf(other.dir, sizeof(other.dir), "/tmp/famfs_XXXXXX");
	ASSERT_NE(NULL, mkdtemp(other.dir));
	ASSERT_EQ(0, famfs_server_init(&other.srv));
	other.srv.st->want &= ~FUSE_DAX_FMAP;
	famfs_add_data(&other.srv, "plain", "server", 6);
	dev = dup(other.srv.fd);
	ASSERT_EQ(0, famfs_mount_fork(&other));
	ASSERT_EQ(0, famfs_stat_size(&other, "plain", &size));
	EXPECT_EQ(-EOPNOTSUPP, famfs_push_map(dev, 0, &self->good));
	EXPECT_EQ(-EOPNOTSUPP, famfs_revoke(dev, 0));
	EXPECT_EQ(-EOPNOTSUPP, famfs_push_to(dev, FAMFS_INO(0),
					     FUSE_NOTIFY_FMAP_PART, 64, 0,
					     self->good.buf, 8));
	close(dev);
	EXPECT_EQ(0, famfs_umount(&other));
	EXPECT_EQ(0, famfs_env_exit(&other));
}

TEST_HARNESS_MAIN
