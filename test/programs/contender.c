/*
 * As contender.ts, over libprotoipc: claims and releases endpoint names, as its standard input says. Arguments: root,
 * domain.
 */
#include "../../core/protoipc.c"

#include <inttypes.h>

#ifdef SHM_WEAKEN
const char *shm_weaken = SHM_WEAKEN;
#endif

static void claim(protoipc_names *names, const char *name, protoipc_claim **out) {
  const int result = protoipc_names_claim(names, name, NULL, UINT64_C(1000000000), out);
  if (result == 0) {
    printf("{\"won\":true}\n");
    return;
  }
  /* The reason has the test's own paths and names: nothing that JSON would write otherwise. */
  printf("{\"won\":false,\"kind\":\"%s\",\"message\":\"%s\"}\n",
         result > 0 || result == PROTOIPC_EINUSE ? "inUse" : "failed", protoipc_names_reason(names));
}

int main(int argc, char **argv) {
  char line[256];
  protoipc_names *names = NULL;
  protoipc_claim *held = NULL;
  if (argc != 3 || protoipc_names_open(argv[1], argv[2], &names) != 0) return 1;
  printf("{\"ready\":true}\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "claim ", 6) == 0) {
      claim(names, line + 6, &held);
    } else {
      protoipc_claim_close(held);
      held = NULL;
      printf("{\"released\":true}\n");
    }
    fflush(stdout);
  }
  protoipc_names_close(names);
  return 0;
}
