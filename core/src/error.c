#include "../include/protoipc.h"

const char *protoipc_strerror(int code) {
  switch (code) {
    case PROTOIPC_OK:
      return "success";
    case PROTOIPC_EINVAL:
      return "an argument that cannot be";
    case PROTOIPC_EAGAIN:
      return "not now; try again";
    case PROTOIPC_ECLOSED:
      return "the peer has closed or died";
    case PROTOIPC_EPROTOCOL:
      return "the peer broke a rule of the protocol";
    case PROTOIPC_EVERSION:
      return "the peer speaks no layout version that we speak";
    case PROTOIPC_EDENIED:
      return "permission denied";
    case PROTOIPC_ENOMEM:
      return "out of memory";
    case PROTOIPC_EDESCRIPTORS:
      return "no file descriptor is left";
    case PROTOIPC_ENOTFOUND:
      return "nobody listens there";
    case PROTOIPC_EINUSE:
      return "in use by somebody else";
    case PROTOIPC_ETOOLARGE:
      return "larger than the limit";
    case PROTOIPC_ELIMIT:
      return "a configured limit is reached";
    case PROTOIPC_EFORKED:
      return "the handle belongs to the parent process";
    case PROTOIPC_ENOTSUP:
      return "not supported by this system";
    case PROTOIPC_ETIMEDOUT:
      return "the time is over";
    case PROTOIPC_ESYSTEM:
      return "a failure of the system";
    default:
      return "unknown error";
  }
}

uint32_t protoipc_version(void) {
  return (uint32_t)PROTOIPC_VERSION_MAJOR << 16 | (uint32_t)PROTOIPC_VERSION_MINOR << 8 | PROTOIPC_VERSION_PATCH;
}
