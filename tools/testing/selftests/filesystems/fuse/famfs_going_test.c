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

#include "famfs_task.h"
#include "famfs_test.h"

#define PAGE	4096UL
#define SIZE	(64 * 1024UL)

FIXTURE(famfs_going)
{
	struct famfs_env env;
	int dev;			/* /dev/fuse of the connection */
	int rw;				/* the device that goes */
	int fd;
	char *map;
	int pipes[2];
	struct famfs_job unbind;
};

static long unbind_device(struct famfs_job *job)
{
	return famfs_unbind(&job->env->devs[job->fd]);
}

FIXTURE_SETUP(famfs_going)
{
	const char *why = famfs_env_init(&self->env, 1);

	if (why)
		SKIP(return, "%s", why);
	famfs_add_simple(&self->env, "f", SIZE, 0, 0);
	self->dev = dup(self->env.srv.fd);
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, famfs_mount_fork(&self->env));
	self->rw = open(self->env.devs[0].path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->rw);
	self->fd = famfs_open(&self->env, "f", O_RDWR);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, famfs_pin(self->pipes, self->map));
	self->unbind = (struct famfs_job){ .run = unbind_device,
					   .env = &self->env };
}

FIXTURE_TEARDOWN(famfs_going)
{
	munmap(self->map, SIZE);
	close(self->fd);
	close(self->rw);
	close(self->dev);
	EXPECT_EQ(0, famfs_umount(&self->env));
	EXPECT_EQ(0, famfs_bind(&self->env.devs[0], "fsdev_dax"));
	FAMFS_TEARDOWN();
}

/* The device begins to go; true if that waits for the pin. */
static bool unbinding_waits(FIXTURE_DATA(famfs_going) * self)
{
	return !famfs_job_start(&self->unbind) &&
	       !famfs_job_done(&self->unbind, 200);
}

/* The pin goes, and then the device; returns how that ended. */
static long let_go(FIXTURE_DATA(famfs_going) * self)
{
	famfs_unpin(self->pipes);
	return famfs_job_result(&self->unbind);
}

static long rebind_device(struct famfs_job *job)
{
	struct famfs_dev *dev = &job->env->devs[job->fd];

	return famfs_unbind(dev) ?: famfs_bind(dev, "fsdev_dax");
}

TEST_F(famfs_going, X5_another_device_is_unbound_and_bound)
{
	struct famfs_job rebind = { .run = rebind_device, .env = &self->env,
				    .fd = 1 };
	bool waits;

	if (self->env.ndevs < 2) {
		famfs_unpin(self->pipes);
		SKIP(return, "need two dax devices in FAMFS_DAXDEVS");
	}
	EXPECT_TRUE(unbinding_waits(self));
	ASSERT_EQ(0, famfs_job_start(&rebind));
	waits = !famfs_job_done(&rebind, 2000);
	EXPECT_FALSE(waits);
	EXPECT_EQ(0, let_go(self));
	if (waits)
		famfs_job_done(&rebind, FAMFS_SOON);
	EXPECT_EQ(0, rebind.result);
}

/* Where regions are created in, of the device. */
static void region_file(const struct famfs_dev *dev, const char *file,
			char *path, size_t len)
{
	snprintf(path, len, "/sys/bus/dax/devices/%.32s/../dax_region/%s",
		 dev->name, file);
}

static long create_device(struct famfs_job *job)
{
	return famfs_write_text(job->name, "1");
}

static void delete_youngest(const struct famfs_dev *dev)
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
	famfs_write_text(path, name);
}

/* In the same region even; one that is full refuses, but not later. */
static void create_beside(struct __test_metadata *_metadata,
			  FIXTURE_DATA(famfs_going) * self,
			  const struct famfs_dev *dev)
{
	char path[128];
	struct famfs_job create = { .run = create_device, .name = path };
	bool waits;

	region_file(dev, "create", path, sizeof(path));
	ASSERT_EQ(0, famfs_job_start(&create));
	waits = !famfs_job_done(&create, 2000);
	EXPECT_FALSE(waits);
	EXPECT_EQ(0, let_go(self));
	if (waits)
		famfs_job_done(&create, FAMFS_SOON);
	if (!create.result)
		delete_youngest(dev);
	EXPECT_TRUE(!create.result || create.result == -ENOSPC);
}

static bool region_is_dynamic(const struct famfs_dev *dev)
{
	char path[128];

	region_file(dev, "create", path, sizeof(path));
	return !access(path, W_OK);
}

TEST_F(famfs_going, X5_another_device_is_created)
{
	if (!region_is_dynamic(&self->env.devs[0])) {
		famfs_unpin(self->pipes);
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
	return famfs_write_text(path, name);
}

static long unbind_region(struct famfs_job *job)
{
	return hmem_write("unbind", job->name);
}

TEST_F(famfs_going, X5_device_of_another_region_is_created)
{
	struct famfs_env *env = &self->env;

	if (env->ndevs < 2 || strcmp(env->devs[0].name, "dax0.0") ||
	    strcmp(env->devs[1].name, "dax1.0") ||
	    access("/sys/bus/platform/drivers/hmem/hmem.0", F_OK)) {
		famfs_unpin(self->pipes);
		SKIP(return, "need two regions of soft-reserved memory");
	}
	self->unbind.run = unbind_region;
	self->unbind.name = "hmem.0";
	EXPECT_TRUE(unbinding_waits(self));
	create_beside(_metadata, self, &env->devs[1]);
	/* The region comes again, its device with the driver for all. */
	EXPECT_EQ(0, hmem_write("bind", "hmem.0"));
}

static long register_again(struct famfs_job *job)
{
	return famfs_dax_open(job->fd, job->flags);
}

static long show_devices(struct famfs_job *job)
{
	char text[512];

	return famfs_table(job->env, text, sizeof(text)) ?:
	       !strstr(text, " gone\n");
}

TEST_F(famfs_going, X5_server_registers_the_device_once_more)
{
	struct famfs_job again = { .run = register_again, .fd = self->dev,
				   .flags = self->rw };
	struct famfs_job show = { .run = show_devices, .env = &self->env };
	int id = famfs_dax_open(self->dev, self->rw);
	bool waits;

	EXPECT_LT(0, id);
	EXPECT_TRUE(unbinding_waits(self));
	ASSERT_EQ(0, famfs_job_start(&again));
	waits = !famfs_job_done(&again, 2000);
	EXPECT_FALSE(waits);
	if (!waits) {
		EXPECT_EQ(-EBUSY, again.result);
		EXPECT_EQ(-EBUSY, famfs_dax_close(self->dev, id));
		ASSERT_EQ(0, famfs_job_start(&show));
		EXPECT_EQ(0, famfs_job_result(&show));
	}
	EXPECT_EQ(0, let_go(self));
	if (waits)
		famfs_job_done(&again, FAMFS_SOON);
	EXPECT_GT(0, again.result);
}

/* The pin that goes need not be the only one, nor the first. */
TEST_F(famfs_going, X2_pins_go_one_after_the_other)
{
	int pipes[2];

	ASSERT_EQ(0, famfs_pin(pipes, self->map + PAGE));
	EXPECT_TRUE(unbinding_waits(self));
	famfs_unpin(self->pipes);
	EXPECT_FALSE(famfs_job_done(&self->unbind, 300));
	famfs_unpin(pipes);
	EXPECT_EQ(0, famfs_job_result(&self->unbind));
	EXPECT_EQ(SIGBUS, famfs_probe(self->map));
}

/* What cannot be read through the descriptor is not read through a map. */
TEST_F(famfs_going, D4_descriptor_that_is_not_open_for_reading)
{
	int fd = open(self->env.devs[0].path, O_WRONLY | O_CLOEXEC);

	famfs_unpin(self->pipes);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, famfs_dax_open(self->dev, fd));
	close(fd);
	EXPECT_LT(0, famfs_dax_open(self->dev, self->rw));
}

TEST_HARNESS_MAIN
