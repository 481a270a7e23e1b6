/* One attack: a function that tries a thing and says whether it took effect. Each runs in a child of its own. */
#ifndef ATTACK_H
#define ATTACK_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* HUNG: it did not come to its end, or the host had no room for it: nothing was stopped. */
enum outcome { THROUGH, STOPPED, ABSENT, HUNG };

/* What it would cost: the host or another task; knowledge of the host; a socket of the host; nothing but itself. */
enum harm { FATAL, LEAK, REACH, SELF };

struct attack {
  const char *name;
  enum harm harm;
  enum outcome (*run)(void);
};

/* What a harness planted, from the command line; "" where there is none. */
const char *given(const char *key);
int given_int(const char *key);

/* THROUGH where `ok`; otherwise STOPPED, and errno is kept. */
enum outcome took(int ok);
/* For calls made with an argument that the kernel refuses only after it looked at the right to make them. */
enum outcome past_the_gate(long result);
/* THROUGH where it could be opened. */
enum outcome opened(const char *path, int flags);
int pipe_text(const char *path, char *into, size_t size);

extern const struct attack capability_attacks[], file_attacks[], identity_attacks[], ipc_attacks[], kernel_attacks[], namespace_attacks[],
    network_attacks[], process_attacks[], resource_attacks[];
#define END {0, 0, 0}

int canary(void);
int race(void);
int stay_put(void);
int leave(void);
int take_over(void);
#endif
