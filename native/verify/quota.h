/*
 * drover-verify quota bound DIRECTORY ID KIB FILES   the directory and all that is made in it belongs to a project that may hold so much
 * drover-verify quota adopt ROOT PATH ID             a tree below ROOT, reached through no link, belongs to that project from now on
 * drover-verify quota free DIRECTORY ID              the project is bound by nothing any more
 * drover-verify probe quota DIRECTORY UID ID         whether a user is held to one: tried
 *
 * One line: `ok …`, `taken …` (files of somebody are of that project) or `no …`. Sources: quotactl(2), ioctl_xfs_fsgetxattr(2), the kernel's linux/quota.h.
 */
#include <dirent.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/quota.h>
#include <sys/vfs.h>

#define PROBE_KIB 1024
#define PROBE_FILES 16

static int quota_say(const char *word, const char *what) { return printf("%s %s\n", word, what) < 0; }

static int quota_no(const char *what) {
  static char text[256];
  const char *why = errno == ESRCH ? "quotas of projects are not switched on"
    : errno == ENOTTY || errno == EOPNOTSUPP ? "the file system knows no quotas of projects"
    : errno == ENOSYS ? "quotas of projects are not switched on, or the kernel has none" /* so says xfs of the first */
    : errno == EPERM ? "quotas of projects are set by root alone"
    : strerrordesc_np(errno);
  snprintf(text, sizeof text, "%s: %s", what, why);
  return quota_say("no", text);
}

static int quota_call(int at, unsigned command, u32 id, struct if_dqblk *quota) {
  return (int)syscall(SYS_quotactl_fd, at, QCMD(command, PRJQUOTA), id, quota);
}

/* Nothing was ever counted for a project that the file system does not know. */
static int quota_used(int at, u32 id) {
  struct if_dqblk quota;
  if (quota_call(at, Q_GETQUOTA, id, &quota)) return errno == ENOENT ? 0 : -1;
  return quota.dqb_curspace || quota.dqb_curinodes;
}

static int quota_limit(int at, u32 id, u64 kib, u64 files) {
  struct if_dqblk quota = {.dqb_bhardlimit = kib, .dqb_ihardlimit = files, .dqb_valid = QIF_LIMITS};
  return quota_call(at, Q_SETQUOTA, id, &quota);
}

static int project_set(int fd, u32 id, int is_directory) {
  struct fsxattr attributes;
  if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes)) return -1;
  if (is_directory) attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  attributes.fsx_projid = id;
  return ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
}

/* The descriptor is closed. What is no file of its own (links, sockets, FIFOs) holds nothing worth counting and stays as it is. */
static int project_tree(int fd, u32 id, dev_t device) {
  DIR *folder = project_set(fd, id, 1) ? NULL : fdopendir(fd);
  if (!folder) return close(fd), -1;
  int failed = 0;
  for (struct dirent *each; !failed && (each = readdir(folder));) {
    struct stat found;
    if (!strcmp(each->d_name, ".") || !strcmp(each->d_name, "..")) continue;
    if (fstatat(dirfd(folder), each->d_name, &found, AT_SYMLINK_NOFOLLOW) || found.st_dev != device) continue;
    if (!S_ISDIR(found.st_mode) && !S_ISREG(found.st_mode)) continue;
    int inner = openat(dirfd(folder), each->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (inner < 0) failed = -1;
    else if (S_ISDIR(found.st_mode)) failed = project_tree(inner, id, device);
    else {
      failed = project_set(inner, id, 0);
      close(inner);
    }
  }
  const int error = errno;
  closedir(folder);
  errno = error;
  return failed;
}

static int quota_tree(int fd, u32 id) {
  struct stat found;
  /* a descriptor for each directory on the way down */
  struct rlimit files;
  if (!getrlimit(RLIMIT_NOFILE, &files)) setrlimit(RLIMIT_NOFILE, &(struct rlimit){files.rlim_max, files.rlim_max});
  return fstat(fd, &found) ? -1 : project_tree(fd, id, found.st_dev);
}

static int quota_bound(const char *directory, u32 id, u64 kib, u64 files) {
  struct fsxattr attributes;
  int at = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const int used = at < 0 || ioctl(at, FS_IOC_FSGETXATTR, &attributes) ? -1 : quota_used(at, id);
  if (used < 0) return quota_no(directory);
  if (used && attributes.fsx_projid != id) return quota_say("taken", "files are of that project");
  /* the bound first: nothing is ever in a project without one */
  if (quota_limit(at, id, kib, files) || quota_tree(at, id)) return quota_no(directory);
  return quota_say("ok", directory);
}

static int quota_adopt(const char *root, const char *path, u32 id) {
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int at = top < 0 ? -1 : (int)syscall(SYS_openat2, top, path, &how, sizeof how);
  if (at < 0 && errno == ENOENT) return quota_say("ok", "nothing is there");
  return at < 0 || quota_tree(at, id) ? quota_no(path) : quota_say("ok", path);
}

static int quota_free(const char *directory, u32 id) {
  int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return at < 0 || quota_limit(at, id, 0, 0) ? quota_no(directory) : quota_say("ok", directory);
}

/* In a child of that user. Returns KiB, or how many files; *error is what ended it, 0: nothing. */
static long quota_fill(int at, uid_t uid, int by_files, int *error) {
  long *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (told == MAP_FAILED) return -1;
  pid_t child = fork();
  if (child == 0) {
    static char block[16384];
    char name[24] = "whole";
    const long wanted = by_files ? 2 * PROBE_FILES : 2 * PROBE_KIB;
    if (!geteuid() && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))) _exit(1);
    int fd = by_files ? -1 : openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (long done = 0; told[0] < wanted; told[0] += by_files ? 1 : done >> 10) {
      if (by_files) snprintf(name, sizeof name, "%ld", told[0]);
      done = by_files ? openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : write(fd, block, sizeof block);
      if (done < 0) {
        told[1] = errno;
        break;
      }
    }
    _exit(0);
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child || status) return -1;
  *error = (int)told[1];
  return told[0];
}

static int quota_refuses(int error) { return error == EDQUOT || error == ENOSPC; }

/* Fills the directory before it is bound, and after. */
static int quota_try(const char *directory, int at, uid_t uid, u32 id) {
  int free_error = 0, space_error = 0, files_error = 0;
  struct statfs seen;
  /* said first, whatever else would be in the way */
  if (quota_used(at, id) < 0) return quota_no("tasks' directories");
  const long unbound = quota_fill(at, uid, 0, &free_error);
  if (unbound < 2 * PROBE_KIB) return quota_say("no", "quotas of projects cannot be tried: not even 2 MiB are free");
  unlinkat(at, "whole", 0);
  if (quota_limit(at, id, PROBE_KIB, PROBE_FILES) || project_set(at, id, 1)) return quota_no("tasks' directories");
  const long space = quota_fill(at, uid, 0, &space_error), files = quota_fill(at, uid, 1, &files_error);
  if (!quota_refuses(space_error) || !quota_refuses(files_error))
    return printf("no quotas of projects are kept and do not hold: %ld KiB and %ld files went into a bound of %d and %d\n", space, files, PROBE_KIB, PROBE_FILES) < 0;
  /* by this the agent sees what binds a directory */
  if (statfs(directory, &seen) || (u64)seen.f_blocks * (u64)seen.f_bsize != PROBE_KIB << 10)
    return quota_say("no", "quotas of projects hold, and are not shown as the size of a directory");
  return printf("ok of 2 MiB %ld KiB fit into a bound of %d, of %d files %ld into one of %d, then %s\n", space, PROBE_KIB, 2 * PROBE_FILES, files, PROBE_FILES, strerrorname_np(space_error)) < 0;
}

static int probe_quota(const char *directory, uid_t uid, u32 id) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/.quota-XXXXXX", directory) >= (int)sizeof path || !mkdtemp(path)) return quota_no(directory);
  int at = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (!geteuid() && fchown(at, uid, uid)) return quota_no(path);
  const int failed = quota_try(path, at, uid, id);
  DIR *folder = fdopendir(dup(at));
  for (struct dirent *each; folder && (each = readdir(folder));) unlinkat(at, each->d_name, 0);
  if (folder) closedir(folder);
  rmdir(path);
  quota_limit(at, id, 0, 0);
  return failed;
}

static int quota_main(int argc, char **args) {
  int failed = argc == 5 && !strcmp(args[0], "bound") ? quota_bound(args[1], (u32)atol(args[2]), (u64)atoll(args[3]), (u64)atoll(args[4]))
    : argc == 4 && !strcmp(args[0], "adopt")          ? quota_adopt(args[1], args[2], (u32)atol(args[3]))
    : argc == 3 && !strcmp(args[0], "free")           ? quota_free(args[1], (u32)atol(args[2]))
                                                      : 2;
  return fflush(stdout) ? 1 : failed;
}
