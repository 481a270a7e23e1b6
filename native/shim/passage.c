/* The mounts that a launcher sees: ways below directories that are closed to the task's user, and not those of other tasks. */
#include "shim.h"

/* Makes the directories on the way to a path, each open to all: they hold nothing else. The last one too, or a file in its place. */
static int make_way(const char *path, int is_directory) {
  char at[4096];
  size_t len = strlen(path);
  if (len >= sizeof at) { errno = ENAMETOOLONG; return -1; }
  memcpy(at, path, len + 1);
  for (size_t i = 1; i <= len; i++) {
    if (at[i] != '/' && at[i] != 0) continue;
    char end = at[i];
    at[i] = 0;
    if (end || is_directory) {
      if (mkdir(at, 0755) && errno != EEXIST) return -1;
    } else {
      int file = open(at, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      if (file < 0) return -1;
      close(file);
    }
    at[i] = end;
  }
  return 0;
}

/*
 * In a mount namespace of its own, directories that other users may not enter are covered by empty ones, in which only the passages
 * are found again, at their old names. So whoever has the task's uid can reach them; nobody outside sees any of this.
 */
int open_passage(struct failure *f) {
  const struct record *r = &S.record;
  int fds[COUNT(r->passages)];
  if (r->cover_count == 0) return 0;
  if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL)) return fail(f, "passage: namespace");
  for (int i = 0; i < r->passage_count; i++)
    if ((fds[i] = open(r->passages[i], O_PATH | O_CLOEXEC)) < 0) return fail(f, "passage: open");
  for (int i = 0; i < r->cover_count; i++)
    if (mount("tmpfs", r->covers[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m")) return fail(f, "passage: cover");
  for (int i = 0; i < r->passage_count; i++) {
    char from[40] = "";
    struct stat facts;
    struct text t = {from, 0, sizeof from - 1, 0};
    text_str(&t, "/proc/self/fd/");
    text_int(&t, fds[i]);
    if (fstat(fds[i], &facts) || make_way(r->passages[i], S_ISDIR(facts.st_mode))) return fail(f, "passage: way");
    if (mount(from, r->passages[i], NULL, MS_BIND | MS_REC, NULL)) return fail(f, "passage: bind");
    close(fds[i]);
  }
  return 0;
}

/*
 * What bwrap and the runtimes do once per mount they do for every mount of the host, so other tasks' mounts make a start slow. In a mount
 * namespace of the launcher's own the mount that all of them hang below is let go, and the task's own are put back. What a sandbox
 * has of its own (the cgroup hierarchies are a dozen mounts) goes too, one over another; a runtime needs it. Each time that mounts are let
 * go all processors are waited for, so they are first gathered below the one that goes.
 */
int leave_mounts_of_others(void) {
  const struct record *r = &S.record;
  int own[COUNT(r->own_mounts)];
  if (!r->mounts_of_others) return 0;
  for (int i = 0; i < r->own_mount_count; i++)
    if ((own[i] = (int)syscall(SYS_open_tree, AT_FDCWD, r->own_mounts[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)) < 0) return -1;
  /* What the host mounts later is none of the task's: below a read-only place it could be written to. Its own mounts still follow the host. */
  if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return -1;
  static const char *const covered[] = {"/sys/fs/cgroup", "/dev/shm", "/dev/pts", "/run/netns"};
  int gathers = r->launcher == LAUNCH_BWRAP && r->own_mount_count && !strncmp(r->own_mounts[0], r->mounts_of_others, strlen(r->mounts_of_others));
  for (size_t i = 0; gathers && i < COUNT(covered);) i += mount(covered[i], r->own_mounts[0], NULL, MS_MOVE, NULL) != 0;
  if (umount2(r->mounts_of_others, MNT_DETACH)) return -1;
  /* Their descriptors close at execve. */
  for (int i = 0; i < r->own_mount_count; i++)
    if (syscall(SYS_move_mount, own[i], "", AT_FDCWD, r->own_mounts[i], MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS)) return -1;
  return 0;
}
