export { type Claim, type ClaimOptions, claimName, endpointDirectory } from "./claim.js";
export { type Entry, readEntry } from "./entry.js";
export { type FoundEndpoint, findEndpoint } from "./find.js";
export { type FileLock, fileLockBy } from "./lock.js";
export { checkEndpointName, chooseDomain, DEFAULT_DOMAIN } from "./names.js";
export { ensurePrivateDirectory, isPrivateDirectory } from "./private-directory.js";
export { chooseRoot, type Root } from "./root.js";
