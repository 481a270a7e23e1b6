/* New namespaces, foreign namespaces, and what is done with mounts. */
#include "attack.h"
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>

static enum outcome unshared(int flags) { return took(unshare(flags) == 0); }
static enum outcome new_user(void) { return unshared(CLONE_NEWUSER); }
static enum outcome new_mount(void) { return unshared(CLONE_NEWNS); }
static enum outcome new_pid(void) { return unshared(CLONE_NEWPID); }
static enum outcome new_net(void) { return unshared(CLONE_NEWNET); }
static enum outcome new_uts(void) { return unshared(CLONE_NEWUTS); }
static enum outcome new_ipc(void) { return unshared(CLONE_NEWIPC); }
static enum outcome new_cgroup(void) { return unshared(CLONE_NEWCGROUP); }
static enum outcome new_time(void) { return unshared(0x80); }
static enum outcome user_then_mount(void) { return unshared(CLONE_NEWUSER | CLONE_NEWNS); }

static enum outcome cloned(long pid) {
  if (pid == 0) _exit(0);
  return took(pid > 0);
}
static enum outcome clone_user(void) { return cloned(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); }
static enum outcome clone_mount(void) { return cloned(syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0)); }
static enum outcome clone3_user(void) {
  struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  return cloned(syscall(SYS_clone3, &args, sizeof args));
}

/* Of the outermost process that can be seen, and of the canary: another's, or it proves nothing. */
static enum outcome entered(const char *whose, const char *kind) {
  char path[128];
  snprintf(path, sizeof path, "/proc/%s/ns/%s", whose, kind);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return STOPPED;
  return took(setns(fd, 0) == 0);
}
static enum outcome enter_mount(void) { return entered(given("canary_pid"), "mnt"); }
static enum outcome enter_net(void) { return entered(given("canary_pid"), "net"); }
static enum outcome enter_pid(void) { return entered(given("canary_pid"), "pid"); }
static enum outcome enter_own_net(void) { return entered("self", "net"); }
static enum outcome enter_own_mount(void) { return entered("self", "mnt"); }

static enum outcome mount_tmpfs(void) {
  mkdir("mounted", 0755);
  if (mount("none", "mounted", "tmpfs", 0, "") != 0) return STOPPED;
  struct stat inside, here;
  stat("mounted", &inside);
  stat(".", &here);
  return took(inside.st_dev != here.st_dev);
}
static enum outcome mount_proc(void) {
  mkdir("proc", 0755);
  return took(mount("proc", "proc", "proc", 0, "") == 0);
}
static enum outcome mount_over_tmp(void) { return took(mount("none", "/tmp", "tmpfs", 0, "") == 0); }
static enum outcome bind(void) {
  mkdir("bound", 0755);
  return took(mount("/etc", "bound", NULL, MS_BIND, NULL) == 0);
}
static enum outcome remount(void) { return took(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) == 0); }
static enum outcome make_shared(void) { return took(mount(NULL, "/", NULL, MS_SHARED, NULL) == 0); }
/* One may lie on the other. */
static enum outcome umount_proc(void) {
  int gone = 0;
  while (umount2("/proc", MNT_DETACH) == 0) gone++;
  return took(gone > 0 && access("/proc/self", F_OK) != 0);
}
static enum outcome open_filesystem(void) { return took(syscall(SYS_fsopen, "tmpfs", 0) >= 0); }
static enum outcome pick_filesystem(void) { return took(syscall(SYS_fspick, AT_FDCWD, "/", 0) >= 0); }
static enum outcome clone_tree(void) { return took(syscall(SYS_open_tree, AT_FDCWD, "/", 1) >= 0); }
static enum outcome move_tree(void) {
  mkdir("moved", 0755);
  return past_the_gate(syscall(SYS_move_mount, AT_FDCWD, "/", AT_FDCWD, "moved", 0));
}
static enum outcome attributes(void) {
  struct mount_attr none = {0};
  none.attr_clr = MOUNT_ATTR_NOSUID;
  return past_the_gate(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &none, sizeof none));
}
static enum outcome pivot(void) { return past_the_gate(syscall(SYS_pivot_root, ".", ".")); }
static enum outcome change_root(void) { return took(chroot(".") == 0); }

/* The classic: a root below the directory that is held open, then up. */
static enum outcome break_root(void) {
  struct stat root;
  mkdir("jail", 0755);
  int here = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (chroot("jail") || fchdir(here)) return STOPPED;
  for (int i = 0; i < 64; i++)
    if (chdir("..")) return STOPPED;
  if (chroot(".") || stat("/", &root)) return STOPPED;
  return took(!given("root_inode")[0] || root.st_ino == strtoul(given("root_inode"), NULL, 10));
}

const struct attack namespace_attacks[] = {
  {"make a user namespace", FATAL, new_user},
  {"make a mount namespace", FATAL, new_mount},
  {"make a pid namespace", FATAL, new_pid},
  {"make a network namespace", FATAL, new_net},
  {"make a uts namespace", FATAL, new_uts},
  {"make an ipc namespace", FATAL, new_ipc},
  {"make a cgroup namespace", FATAL, new_cgroup},
  {"make a time namespace", FATAL, new_time},
  {"make a user and a mount namespace at once", FATAL, user_then_mount},
  {"clone into a user namespace", FATAL, clone_user},
  {"clone into a mount namespace", FATAL, clone_mount},
  {"clone3 into a user namespace", FATAL, clone3_user},
  {"enter another's mount namespace", FATAL, enter_mount},
  {"enter another's network namespace", FATAL, enter_net},
  {"enter another's pid namespace", FATAL, enter_pid},
  {"enter the own network namespace", FATAL, enter_own_net},
  {"enter the own mount namespace", FATAL, enter_own_mount},
  {"mount a tmpfs", FATAL, mount_tmpfs},
  {"mount a proc", FATAL, mount_proc},
  {"mount over /tmp", FATAL, mount_over_tmp},
  {"bind a directory", FATAL, bind},
  {"remount the root", FATAL, remount},
  {"share the root's mounts", FATAL, make_shared},
  {"unmount /proc", FATAL, umount_proc},
  {"open a file system", FATAL, open_filesystem},
  {"pick a file system", FATAL, pick_filesystem},
  {"clone a mount tree", FATAL, clone_tree},
  {"move a mount", FATAL, move_tree},
  {"change the attributes of a mount", FATAL, attributes},
  {"pivot the root", FATAL, pivot},
  {"change the root", FATAL, change_root},
  {"break out of a changed root", FATAL, break_root},
  END,
};
