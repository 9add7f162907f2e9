/*
 * Tests build the library so that one check is off, and see that the attack which the check stops then succeeds:
 * test/adversaries. Nothing else defines SHM_WEAKEN; without it this file leaves no trace in the library.
 */
#ifndef PROTOIPC_WEAKEN_H
#define PROTOIPC_WEAKEN_H

#ifdef SHM_WEAKEN
#include <string.h>
extern const char *shm_weaken; /* the name of the check that is off; the test program's */
#define SHM_WEAKENED(name) (strcmp(shm_weaken, #name) == 0)
#else
#define SHM_WEAKENED(name) 0
#endif

#endif
