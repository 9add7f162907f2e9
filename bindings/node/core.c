/* libprotoipc itself, as one unit: the addon brings its own copy and shows none of its symbols. */
#include "../../core/protoipc.c"
