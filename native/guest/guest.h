#ifndef DROVER_GUEST_H
#define DROVER_GUEST_H
#include "../base.h"
#include <poll.h>

#define SESSIONS 16

/* What is run, as what: the strings are the start's, or an exec's. */
struct command {
  char *argv[1024], *env[1024];
  const char *work_dir;
  u32 uid, gid;
};

/* Our ends of a command's pipes; a terminal is all three. `in` NULL: it reads nothing. */
struct ends {
  int *in, *out, *err;
};

/* The pid, or -1. `terminal`: `ends->in` and `ends->out` become the same terminal. */
pid_t spawn(struct command *command, struct ends *ends, int terminal);
/* Some bytes from one to the other; 0 at the end, which closes the first. */
int carry(int from, int to);
void carry_to_end(int from, int to);

/* Of the loopback, and of the card where `address` is not NULL. -1: errno says why not. */
int network_up(const char *address, const char *gateway);

/* session.c: what the host asks for while the command runs. */
size_t add_sessions(struct pollfd *polled);
void serve_sessions(const struct pollfd *polled, size_t count, int control);
/* 1: somebody listens. */
int serve_control(int control, pid_t main_pid, const struct command *as);
void session_ended(pid_t pid, int status);
#endif
