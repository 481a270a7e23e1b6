/* Becoming somebody else. */
#include "attack.h"
#include <grp.h>

/* 100: the program ran with more than this process has. */
static enum outcome gains(const char *name) {
  char path[512], uid[16];
  snprintf(path, sizeof path, "%s/%s", given("plant"), name);
  snprintf(uid, sizeof uid, "%d", (int)getuid());
  if (access(path, F_OK)) return ABSENT;
  pid_t child = fork();
  if (child == 0) {
    execl(path, path, "whoami", uid, NULL);
    _exit(errno == EACCES || errno == EPERM ? 1 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return took(WIFEXITED(status) && WEXITSTATUS(status) == 100);
}
static enum outcome setuid_program(void) { return gains("setuid"); }
static enum outcome setgid_program(void) { return gains("setgid"); }
static enum outcome capable_program(void) { return gains("capable"); }

static enum outcome to_root(void) { return took(setresuid(0, 0, 0) == 0 && opened("/etc/shadow", O_RDONLY) == THROUGH); }
static enum outcome to_other_uid(void) { return took(setresuid(1234, 1234, 1234) == 0); }
static enum outcome to_root_group(void) { return took(setresgid(0, 0, 0) == 0); }
static enum outcome groups(void) {
  gid_t disk = 6;
  return took(setgroups(1, &disk) == 0);
}
static enum outcome fsuid(void) {
  syscall(SYS_setfsuid, 1234);
  return took(syscall(SYS_setfsuid, -1) == 1234);
}
static enum outcome has_root_group(void) {
  gid_t list[256];
  int count = getgroups(256, list);
  for (int i = 0; i < count; i++)
    if (list[i] == 0) return THROUGH;
  return took(getegid() == 0);
}
static enum outcome shadow(void) { return opened("/etc/shadow", O_RDONLY); }
static enum outcome passwd_write(void) { return opened("/etc/passwd", O_WRONLY); }
static enum outcome planted_secret(void) {
  char path[512];
  snprintf(path, sizeof path, "%s/secret", given("plant"));
  return opened(path, O_RDONLY);
}

const struct attack identity_attacks[] = {
  {"setuid program", FATAL, setuid_program},
  {"setgid program", FATAL, setgid_program},
  {"program with file capabilities", FATAL, capable_program},
  {"become root", FATAL, to_root},
  {"become another user", FATAL, to_other_uid},
  {"become group root", FATAL, to_root_group},
  {"take supplementary groups", FATAL, groups},
  {"take another file system uid", FATAL, fsuid},
  {"belong to group root", FATAL, has_root_group},
  {"read the password hashes", FATAL, shadow},
  {"write the list of users", FATAL, passwd_write},
  {"read a file that is root's alone", FATAL, planted_secret},
  END,
};
