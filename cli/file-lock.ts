import { Code, loadBinding } from "../bindings/node/binding.js";
import { type FileLock, fileLockBy } from "../transports/directory/index.js";

/** The lock of files, where there is native code for it. */
export function nativeFileLock(): FileLock | undefined {
  const { binding } = loadBinding();
  return binding && fileLockBy((fd) => binding.lock(fd) !== Code.EINUSE);
}
