/*
 * The whole library in one file: whoever embeds it compiles this, with a C11 compiler and no flag but -fvisibility=hidden.
 * A file that includes it does so before any header of the system, or is compiled with -D_GNU_SOURCE.
 */
#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif
#endif

#include "src/error.c"
#include "src/platform_linux.c"
#include "src/platform_linux_socket.c"
#include "src/platform_linux_files.c"
#include "src/platform_none.c"

#include "src/ring.c"

#include "src/arena.c"
#include "src/held.c"
#include "src/segment.c"

#include "src/link.c"
#include "src/link_attach.c"
#include "src/link_control.c"
#include "src/link_receive.c"
#include "src/link_segments.c"
#include "src/link_send.c"
#include "src/link_wait.c"
#include "src/listener.c"

#include "src/sha256.c"
#include "src/names.c"
#include "src/names_entry.c"
#include "src/names_claim.c"
