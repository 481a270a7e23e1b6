/*
 * without-seccomp ERRNO PROGRAM…: runs it where no further filter can be installed, as under an outer one that forbids that. Needs root.
 * without-seccomp ERRNO -NUMBER PROGRAM…: where that system call is not known.
 */
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
  struct sock_filter one[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)-atoi(args[2]), 0, 1),
    BPF_STMT(BPF_RET | BPF_K, refused),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  int single = args[2][0] == '-';
  struct sock_fprog filter = {sizeof rows / sizeof *rows, rows};
  if (single) filter = (struct sock_fprog){sizeof one / sizeof *one, one};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return perror("seccomp"), 1;
  args += 2 + single;
  execvp(args[0], args);
  return perror(args[0]), 127;
}
