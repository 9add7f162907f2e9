/* What all processes of a soak see: a page that outlives each of them, so that the living can be held to what the dead did. */
#ifndef SOAK_BOARD_H
#define SOAK_BOARD_H

#include <stdatomic.h>
#include <stdarg.h>

#include "../adversaries/traffic.h"

enum { board_links = 1 << 16, board_processes = 3, board_server = 0, board_text = 400 };

/* One direction of a link. */
typedef struct board_side {
  _Atomic uint64_t begun;     /* records whose commit was begun, or is to be */
  _Atomic uint64_t committed; /* records whose commit has returned */
} board_side;

typedef struct board {
  _Atomic uint64_t links; /* ever dialled; a link's number is its place below, modulo board_links */
  board_side sides[board_links][2]; /* from the client, from the server */
  _Atomic uint32_t audits;                      /* asked for */
  _Atomic uint32_t audited[board_processes];    /* the newest that a process has passed */
  _Atomic uint32_t generations[board_processes]; /* how often it was started */
  _Atomic int stop;
  _Atomic uint64_t records, bytes, blocks, ends_checked; /* checked, by all */
  _Atomic int failed;
  char text[board_text]; /* of the first failure */
} board;

/* The first failure is what is told. Ends the process. */
_Noreturn static inline void board_fail(board *all, const char *format, ...) {
  if (atomic_exchange(&all->failed, 1) == 0) {
    va_list values;
    va_start(values, format);
    vsnprintf(all->text, sizeof all->text, format, values);
    va_end(values);
  }
  _exit(3);
}

#endif
