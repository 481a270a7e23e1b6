/*
 * The scribe: a child of the shim that alone touches log files, so that a disk that hangs stops nothing but it.
 *
 *   task ─ pipe ─ shim, splice ─ inner pipe ─ scribe, read and write ─ file
 *
 * A scribe that was killed is replaced. What it had read and not written lies in shared memory; how much of it is written, the file says.
 */
#ifndef DROVER_SCRIBE_H
#define DROVER_SCRIBE_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
  /* Bytes since the start: what the shim has put into the inner pipe, and what the scribe has dealt with, of which `failed` could not be stored. */
  uint64_t put;
  _Atomic uint64_t taken, failed;
  /* Bytes are missing before what comes next: it begins a new file, so that no file has a hole. */
  _Atomic int gap;
  /* The scribe's own. While `known`, the file `index` has taken − file_from bytes. A failure under way: what to set, so that it counts once. */
  _Atomic int known, scanned, failing;
  uint32_t index;
  uint64_t file_from, failing_taken, failing_failed;
  /* Where the chunk begins in the stream; how far a scribe before this one had read. */
  uint64_t chunk_from, consumed;
};

/* 0, or -1 with errno. */
int scribe_open(void);
/* Waits until the files are there, or 250 ms. */
void scribe_started(void);
/* Moves what is in a pipe on: the number of bytes, 0 at its end, -1 with errno; EAGAIN where it is empty or there is no room. */
ssize_t scribe_take(int which, int from);
/* What was put and is not dealt with yet. */
uint64_t scribe_waiting(int which);
const struct stream *scribe_stream(int which);
void scribe_gap(int which);
/* The end of what came on stderr, at most 160 bytes; `len` is set. */
const char *scribe_said(size_t *len);
/* It was reaped. */
void scribe_ended(void);
/* No more will come: it ends when it has stored what there is. */
void scribe_finish(void);
/* A killed scribe stores nothing more, however late its disk comes back. */
void scribe_abandon(void);
uint64_t scribe_deadline(void);
void scribe_tick(void);
#endif
