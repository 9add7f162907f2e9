/* What the two files for Linux share. */
#ifndef PROTOIPC_PLATFORM_LINUX_H
#define PROTOIPC_PLATFORM_LINUX_H

/* The protoipc_error for an errno. */
int platform_error(int number);

#endif
