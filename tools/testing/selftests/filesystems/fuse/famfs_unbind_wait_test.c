// SPDX-License-Identifier: GPL-2.0
/*
 * A device that is going away while a page of it lies in a pipe: unbinding it
 * has to wait, for as long as the owner of the pipe pleases.  Nobody else has.
 *
 * What was wrong here: the kernel waited in a section that all dax devices
 * share, so that no other one could be unbound, bound or created; binding by
 * name locked each device that the driver knew; a region that went held the
 * lock of all regions; registering the device once more had the server wait for
 * its lock.
 */

#include "tfs_jobs.h"
#include "tfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)

FIXTURE(unbind_wait)
{
	struct tfs_env env;
	int dev;			/* /dev/fuse of the connection */
	int rw;				/* the device that goes */
	int fd;
	char *map;
	int pipes[2];
	struct tfs_job unbind;
};

static long unbind_device(struct tfs_job *job)
{
	return tfs_unbind(&job->env->devs[job->fd]);
}

FIXTURE_SETUP(unbind_wait)
{
	const char *why = tfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	tfs_add_simple(&self->env, "f", SIZE, 0, 0);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, tfs_mount_fork(&self->env));
	self->rw = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->rw);
	self->fd = tfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, tfs_pin(self->pipes, self->map));
	self->unbind = (struct tfs_job){ .run = unbind_device,
					 .env = &self->env };
}

FIXTURE_TEARDOWN(unbind_wait)
{
	munmap(self->map, SIZE);
	close(self->fd);
	close(self->rw);
	close(self->dev);
	EXPECT_EQ(0, tfs_umount(&self->env));
	EXPECT_EQ(0, tfs_bind(&self->env.devs[0], "fsdev_dax"));
	TFS_TEARDOWN();
}

/* The device begins to go; true if that waits for the pin. */
static bool unbinding_waits(FIXTURE_DATA(unbind_wait) * self)
{
	return !tfs_job_start(&self->unbind) &&
	       !tfs_job_done(&self->unbind, 200);
}

/* The pin goes, and then the device; returns how that ended. */
static long let_go(FIXTURE_DATA(unbind_wait) * self)
{
	tfs_unpin(self->pipes);
	return tfs_job_result(&self->unbind);
}

static long rebind_device(struct tfs_job *job)
{
	struct tfs_dev *dev = &job->env->devs[job->fd];

	return tfs_unbind(dev) ?: tfs_bind(dev, "fsdev_dax");
}

TEST_F(unbind_wait, X5_another_device_is_unbound_and_bound)
{
	struct tfs_job rebind = { .run = rebind_device, .env = &self->env,
				  .fd = 1 };
	bool waits;

	if (self->env.ndevs < 2) {
		tfs_unpin(self->pipes);
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	}
	EXPECT_TRUE(unbinding_waits(self));
	ASSERT_EQ(0, tfs_job_start(&rebind));
	waits = !tfs_job_done(&rebind, 2000);
	EXPECT_FALSE(waits);
	EXPECT_EQ(0, let_go(self));
	if (waits)
		tfs_job_done(&rebind, TFS_SOON);
	EXPECT_EQ(0, rebind.result);
}

/* Where regions are created in, of the device. */
static void region_file(const struct tfs_dev *dev, const char *file,
			char *path, size_t len)
{
	snprintf(path, len, "/sys/bus/dax/devices/%.32s/../dax_region/%s",
		 dev->name, file);
}

static long create_device(struct tfs_job *job)
{
	return tfs_write_text(job->name, "1");
}

static void delete_youngest(const struct tfs_dev *dev)
{
	char path[128], name[64] = "";
	FILE *f;

	region_file(dev, "youngest", path, sizeof(path));
	f = fopen(path, "r");
	if (!f || fscanf(f, "%63s", name) != 1)
		name[0] = '\0';
	if (f)
		fclose(f);
	region_file(dev, "delete", path, sizeof(path));
	tfs_write_text(path, name);
}

/* In the same region even; one that is full refuses, but not later. */
static void create_beside(struct __test_metadata *_metadata,
			  FIXTURE_DATA(unbind_wait) * self,
			  const struct tfs_dev *dev)
{
	char path[128];
	struct tfs_job create = { .run = create_device, .name = path };
	bool waits;

	region_file(dev, "create", path, sizeof(path));
	ASSERT_EQ(0, tfs_job_start(&create));
	waits = !tfs_job_done(&create, 2000);
	EXPECT_FALSE(waits);
	EXPECT_EQ(0, let_go(self));
	if (waits)
		tfs_job_done(&create, TFS_SOON);
	if (!create.result)
		delete_youngest(dev);
	EXPECT_TRUE(!create.result || create.result == -ENOSPC);
}

static bool region_is_dynamic(const struct tfs_dev *dev)
{
	char path[128];

	region_file(dev, "create", path, sizeof(path));
	return !access(path, W_OK);
}

TEST_F(unbind_wait, X5_another_device_is_created)
{
	if (!region_is_dynamic(&self->env.devs[0])) {
		tfs_unpin(self->pipes);
		SKIP(return, "need a region that devices can be created in");
	}
	EXPECT_TRUE(unbinding_waits(self));
	create_beside(_metadata, self, &self->env.devs[0]);
}

/* The platform device below a region of soft-reserved memory. */
static int hmem_write(const char *file, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/platform/drivers/hmem/%s",
		 file);
	return tfs_write_text(path, name);
}

static long unbind_region(struct tfs_job *job)
{
	return hmem_write("unbind", job->name);
}

TEST_F(unbind_wait, X5_device_of_another_region_is_created)
{
	struct tfs_env *env = &self->env;

	if (env->ndevs < 2 || strcmp(env->devs[0].name, "dax0.0") ||
	    strcmp(env->devs[1].name, "dax1.0") ||
	    access("/sys/bus/platform/drivers/hmem/hmem.0", F_OK)) {
		tfs_unpin(self->pipes);
		SKIP(return, "need two regions of soft-reserved memory");
	}
	self->unbind.run = unbind_region;
	self->unbind.name = "hmem.0";
	EXPECT_TRUE(unbinding_waits(self));
	create_beside(_metadata, self, &env->devs[1]);
	/* The region comes again, its device with the driver for all. */
	EXPECT_EQ(0, hmem_write("bind", "hmem.0"));
}

static long register_again(struct tfs_job *job)
{
	return tfs_dax_open(job->fd, job->flags);
}

static long show_devices(struct tfs_job *job)
{
	char text[512];

	return tfs_table(job->env, text, sizeof(text)) ?:
	       !strstr(text, " gone\n");
}

TEST_F(unbind_wait, X5_server_registers_the_device_once_more)
{
	struct tfs_job again = { .run = register_again, .fd = self->dev,
				 .flags = self->rw };
	struct tfs_job show = { .run = show_devices, .env = &self->env };
	int id = tfs_dax_open(self->dev, self->rw);
	bool waits;

	EXPECT_LT(0, id);
	EXPECT_TRUE(unbinding_waits(self));
	ASSERT_EQ(0, tfs_job_start(&again));
	waits = !tfs_job_done(&again, 2000);
	EXPECT_FALSE(waits);
	if (!waits) {
		EXPECT_EQ(-EBUSY, again.result);
		EXPECT_EQ(-EBUSY, tfs_dax_close(self->dev, id));
		ASSERT_EQ(0, tfs_job_start(&show));
		EXPECT_EQ(0, tfs_job_result(&show));
	}
	EXPECT_EQ(0, let_go(self));
	if (waits)
		tfs_job_done(&again, TFS_SOON);
	EXPECT_GT(0, again.result);
}

/* The pin that goes need not be the only one, nor the first. */
TEST_F(unbind_wait, X2_pins_go_one_after_the_other)
{
	int pipes[2];

	ASSERT_EQ(0, tfs_pin(pipes, self->map + PAGE));
	EXPECT_TRUE(unbinding_waits(self));
	tfs_unpin(self->pipes);
	EXPECT_FALSE(tfs_job_done(&self->unbind, 300));
	tfs_unpin(pipes);
	EXPECT_EQ(0, tfs_job_result(&self->unbind));
	EXPECT_EQ(SIGBUS, load_byte(self->map));
}

/* What cannot be read through the descriptor is not read through a map. */
TEST_F(unbind_wait, D4_descriptor_that_is_not_open_for_reading)
{
	int fd = open(self->env.devs[0].path, O_WRONLY | O_CLOEXEC);

	tfs_unpin(self->pipes);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, tfs_dax_open(self->dev, fd));
	close(fd);
	EXPECT_LT(0, tfs_dax_open(self->dev, self->rw));
}

TEST_HARNESS_MAIN
