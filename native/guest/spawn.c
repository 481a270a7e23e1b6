#include "guest.h"
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static int open_terminal(int *other) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) || unlockpt(master)) return -1;
  *other = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  return *other < 0 ? -1 : master;
}

static void become(struct command *command, int in, int out, int err, int terminal) {
  extern char **environ;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  setsid();
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  if (terminal) ioctl(0, TIOCSCTTY, 0);
  const char *refused = NULL;
  if (setgroups(0, NULL) || setresgid(command->gid, command->gid, command->gid) ||
      setresuid(command->uid, command->uid, command->uid))
    refused = "user";
  else if (chdir(command->work_dir ? command->work_dir : "/"))
    refused = command->work_dir;
  environ = command->env;
  if (!refused) execvp(command->argv[0], command->argv);
  const char *what = refused ? refused : command->argv[0], *why = strerror(errno);
  write_all(2, what, strlen(what));
  write_all(2, ": ", 2);
  write_all(2, why, strlen(why));
  write_all(2, "\n", 1);
  _exit(errno == ENOENT ? 127 : 126);
}

pid_t spawn(struct command *command, struct ends *ends, int terminal) {
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
  if (terminal) {
    out[0] = open_terminal(&out[1]);
    if (out[0] < 0) return -1;
    in[0] = err[1] = out[1];
    in[1] = fcntl(out[0], F_DUPFD_CLOEXEC, 0);
  } else {
    if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) return -1;
    if (ends->in ? pipe2(in, O_CLOEXEC) : (in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) return -1;
  }
  pid_t pid = fork();
  if (pid == 0) become(command, in[0], out[1], err[1], terminal);
  close(out[1]);
  if (!terminal) {
    close(in[0]);
    close(err[1]);
  }
  if (ends->in) *ends->in = in[1];
  if (ends->err) *ends->err = err[0];
  *ends->out = out[0];
  return pid;
}

int carry(int from, int to) {
  static char buffer[32768];
  ssize_t n = read(from, buffer, sizeof buffer);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 1;
  if (n > 0 && !write_all(to, buffer, (size_t)n)) return 1;
  close(from);
  return 0;
}

void carry_to_end(int from, int to) {
  if (from < 0) return;
  while (carry(from, to)) continue;
}
