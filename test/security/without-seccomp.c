/* without-seccomp ERRNO PROGRAM…: runs it where no further filter can be installed, as under an outer one that forbids that. Needs root. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **args) {
  if (argc < 3) return 2;
  unsigned refused = SECCOMP_RET_ERRNO | (unsigned)atoi(args[1]);
  struct sock_filter rows[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, refused),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof rows / sizeof *rows, rows};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return perror("seccomp"), 1;
  execvp(args[2], args + 2);
  return perror(args[2]), 127;
}
