import { type FSWatcher, watch as watchFiles } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, transportErrorOf } from "../errno.js";
import { TransportError } from "../transport.js";
import type { Entry } from "./entry.js";
import { examine } from "./examine.js";
import type { FileLock } from "./lock.js";
import type { Presence } from "./presence.js";
import { ensurePrivateDirectory } from "./private-directory.js";
import type { Root } from "./root.js";
import { sweepDead, sweepWithoutEntry } from "./sweep.js";

/** Who is told of the endpoints of a domain. */
export interface DomainListener {
  onFound(entry: Entry): void;
  /** The same run of the endpoint says something else. */
  onChanged(entry: Entry, before: Entry): void;
  onGone(entry: Entry): void;
  /** What stands there and must not be used, once for each reason; or why the domain cannot be watched. */
  onRefused(name: string, reason: unknown): void;
}

export interface WatchOptions {
  readonly root: Root;
  readonly domain: string;
  readonly fileLock?: FileLock | undefined;
}

export interface DomainWatch {
  /** Resolves when those that were there at the beginning have been told of. */
  readonly ready: Promise<void>;
  stop(): void;
}

/** A name of the domain, and what is known of it. */
interface WatchedName {
  readonly name: string;
  files: FSWatcher | undefined;
  /** The endpoint that was told of. */
  entry: Entry | undefined;
  presence: Presence | undefined;
  refusedFor: string | undefined;
  /** How often nothing was there, since something was. */
  absentLooks: number;
  /** How often the system did not let us read what is there, since it did. */
  deniedLooks: number;
  /** The look that is to come after the last of those. */
  nextLook: NodeJS.Timeout | undefined;
  /** The look that is under way, and whether another one is due. */
  looking: Promise<void> | undefined;
  isDue: boolean;
}

/** On Windows a directory that was removed stays, in everybody's way, for as long as somebody watches it. */
const HOLDS_WHAT_IT_WATCHES = process.platform === "win32";
/** How long to wait before such a directory, or what could not be read, is looked at again: at first, and at most. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** How often it is looked at before it counts as left: some 750 ms. */
const PATIENT_LOOKS = 4;

/** How long to wait before a directory that could not be watched is looked for again. */
const RETRY_MS = 200;

/**
 * Watches the endpoints of a domain: entries by the file system, their owners by what the kernel does when a process ends.
 * What dead endpoints have left is removed. Keeps the process running until it is stopped.
 */
export function watchDomain(options: WatchOptions, listener: DomainListener): DomainWatch {
  const watch = new DirectoryWatch(options, listener);
  return { ready: watch.begin(), stop: () => watch.stop() };
}

class DirectoryWatch {
  readonly #options: WatchOptions;
  readonly #listener: DomainListener;
  readonly #path: string;
  readonly #names = new Map<string, WatchedName>();
  #files: FSWatcher | undefined;
  #isStopped = false;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(options: WatchOptions, listener: DomainListener) {
    this.#options = options;
    this.#listener = listener;
    this.#path = join(options.root.path, options.domain);
  }

  async begin(): Promise<void> {
    try {
      await ensurePrivateDirectory(this.#options.root.path);
      await ensurePrivateDirectory(this.#path);
      if (this.#isStopped) return;
      const files = watchFiles(this.#path, (_event, file) => {
        if (file === null) void this.#lookAtAll().catch((error: unknown) => this.#fail(error));
        else void this.#lookAnew(file);
      });
      this.#files = files;
      files.on("error", (error) => this.#fail(error));
      await this.#lookAtAll();
    } catch (error) {
      this.#fail(error);
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retryTimer);
    this.#files?.close();
    for (const watched of this.#names.values()) {
      watched.files?.close();
      watched.presence?.stop();
      clearTimeout(watched.nextLook);
    }
    this.#names.clear();
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    const { domain } = this.#options;
    this.#listener.onRefused(domain, transportErrorOf(error, `cannot watch ${this.#path}`));
    this.#beginAgain();
  }

  /** The directory was removed, or could not be watched. */
  #beginAgain(): void {
    this.#files?.close();
    this.#files = undefined;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.begin(), RETRY_MS);
  }

  async #lookAtAll(): Promise<void> {
    let found: string[];
    try {
      found = await readdir(this.#path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      found = [];
      if (!this.#isStopped) this.#beginAgain();
    }
    await Promise.all([...new Set([...found, ...this.#names.keys()])].map((name) => this.#look(name)));
  }

  /** As `#look`, where the directory may be another one than the one that is watched. */
  #lookAnew(name: string): Promise<void> {
    const watched = this.#names.get(name);
    if (watched !== undefined) unwatch(watched);
    return this.#look(name);
  }

  /** Looks at a name, once more where a look is under way that may have missed what has just happened. */
  #look(name: string): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    let watched = this.#names.get(name);
    if (watched === undefined) {
      watched = {
        name,
        files: undefined,
        entry: undefined,
        presence: undefined,
        refusedFor: undefined,
        absentLooks: 0,
        deniedLooks: 0,
        nextLook: undefined,
        looking: undefined,
        isDue: false,
      };
      this.#names.set(name, watched);
    }
    watched.isDue = true;
    watched.looking ??= this.#lookWhileDue(watched);
    return watched.looking;
  }

  async #lookWhileDue(watched: WatchedName): Promise<void> {
    try {
      while (watched.isDue && !this.#isStopped) {
        watched.isDue = false;
        await this.#lookOnce(watched);
      }
    } catch (error) {
      this.#refuse(watched, transportErrorOf(error, `cannot look at ${join(this.#path, watched.name)}`));
      this.#lookAfterDenial(watched);
    } finally {
      watched.looking = undefined;
    }
  }

  async #lookOnce(watched: WatchedName): Promise<void> {
    const { name } = watched;
    const directory = join(this.#path, name);
    const { entry: known, presence: held } = watched;
    // Watched before it is read: what is written after that is not missed.
    this.#watchFiles(watched, directory);
    const isKnown = known !== undefined && held !== undefined;
    const examined = await examine(
      directory,
      name,
      isKnown ? { incarnation: known.incarnation, presence: held } : undefined,
      this.#options.fileLock,
    );
    if (this.#isStopped) {
      if (examined.kind === "alive") examined.presence.stop();
      return;
    }
    switch (examined.kind) {
      case "alive": {
        watched.refusedFor = undefined;
        watched.absentLooks = 0;
        watched.deniedLooks = 0;
        const { entry, presence } = examined;
        if (presence !== watched.presence) this.#setPresence(watched, presence);
        // What listens nowhere yet is about to say more.
        this.#tell(watched, entry.transports.length === 0 ? undefined : entry);
        return;
      }
      case "dead":
        this.#forget(watched);
        await this.#sweep(watched, examined.entry);
        return;
      case "elsewhere":
        // So it looks, for a moment, where a process is about to be gone.
        this.#forget(watched);
        if (!(await this.#sweep(watched, examined.entry))) this.#refuse(watched, isElsewhere(examined.entry));
        return;
      case "refused":
        this.#forget(watched);
        this.#refuse(watched, examined.reason);
        // With a cause it is the system that denies, perhaps for a moment: on Windows while others have the file open, or
        // where this process has no descriptor left. Nobody tells when that is over.
        if (examined.reason.cause !== undefined) this.#lookAfterDenial(watched);
        return;
      case "absent":
        this.#forget(watched);
        if (watched.files !== undefined) this.#lookLater(watched);
        else if (watched.files === undefined && !watched.isDue) this.#names.delete(name);
        return;
    }
  }

  /** Watches an endpoint's directory, if it is there. */
  #watchFiles(watched: WatchedName, directory: string): void {
    if (watched.files !== undefined) return;
    try {
      const files = watchFiles(directory, { persistent: false }, (_event, file) => {
        if (file === null || file === "entry") void this.#look(watched.name);
        // The directory itself is named where it was removed.
        else if (file === watched.name) void this.#lookAnew(watched.name);
      });
      watched.files = files;
      files.on("error", () => {
        if (watched.files === files) unwatch(watched);
      });
    } catch (error) {
      const code = errnoOf(error);
      // On Windows EPERM: it was removed, and another process has it open for a moment yet.
      const isGoing = code === "EPERM" && HOLDS_WHAT_IT_WATCHES;
      if (code !== "ENOENT" && code !== "ENOTDIR" && !isGoing) throw error;
    }
  }

  /**
   * Looks again at a directory in which there is nothing yet, or any more; a few times, where its entry will be noticed
   * anyway, and else, having let go of it, for as long as it is there.
   */
  #lookLater(watched: WatchedName): void {
    if (HOLDS_WHAT_IT_WATCHES) unwatch(watched);
    else if (watched.absentLooks > PATIENT_LOOKS) return;
    const looks = watched.absentLooks++;
    setTimeout(() => void this.#lookAfterSweep(watched, looks >= PATIENT_LOOKS), pauseMsAfter(looks)).unref();
  }

  /** Looks again at what the system did not let us read. */
  #lookAfterDenial(watched: WatchedName): void {
    clearTimeout(watched.nextLook);
    const pauseMs = pauseMsAfter(watched.deniedLooks++);
    watched.nextLook = setTimeout(() => void this.#look(watched.name), pauseMs).unref();
  }

  /** Who was killed while it started, or removed what another had left, leaves a directory without an entry. */
  async #lookAfterSweep({ name }: WatchedName, sweeps: boolean): Promise<void> {
    if (this.#isStopped) return;
    // What cannot be swept is looked at below, and told of there.
    if (sweeps) await sweepWithoutEntry({ ...this.#options, name }).catch(() => undefined);
    await this.#look(name);
  }

  #setPresence(watched: WatchedName, presence: Presence): void {
    watched.presence?.stop();
    watched.presence = presence;
    void presence.ended.then(() => {
      if (watched.presence !== presence || this.#isStopped) return;
      // Begun before anybody is told: who is told may stop this watch, and what is left is to go all the same.
      const { entry } = watched;
      const swept = entry === undefined ? Promise.resolve(true) : this.#sweep(watched, entry);
      this.#forget(watched);
      void swept.then(() => this.#look(watched.name));
    });
  }

  #forget(watched: WatchedName): void {
    watched.presence?.stop();
    watched.presence = undefined;
    this.#tell(watched, undefined);
  }

  #tell(watched: WatchedName, entry: Entry | undefined): void {
    const before = watched.entry;
    watched.entry = entry;
    if (before !== undefined && before.incarnation === entry?.incarnation) {
      if (JSON.stringify(before) !== JSON.stringify(entry)) this.#listener.onChanged(entry, before);
      return;
    }
    if (before !== undefined) this.#listener.onGone(before);
    if (entry !== undefined) this.#listener.onFound(entry);
  }

  #refuse(watched: WatchedName, reason: Error): void {
    if (this.#isStopped || watched.refusedFor === reason.message) return;
    watched.refusedFor = reason.message;
    this.#listener.onRefused(watched.name, reason);
  }

  /**
   * Only who looks removes what the dead have left, so that it is done by one process or another, and soon. False where it
   * turns out to live elsewhere.
   */
  async #sweep(watched: WatchedName, { incarnation }: Entry): Promise<boolean> {
    if (HOLDS_WHAT_IT_WATCHES) unwatch(watched);
    try {
      return await sweepDead({ ...this.#options, name: watched.name }, incarnation);
    } catch (error) {
      this.#refuse(watched, transportErrorOf(error, `cannot remove what ${watched.name} has left`));
      return true;
    }
  }
}

function isElsewhere({ name, pid }: Entry): TransportError {
  const place = `lives in another network namespace (process ${pid} there), where its lock is not seen from here`;
  const advice = "share the network namespace, or give each a PROTOIPC_DIR of its own";
  return new TransportError("unavailable", `endpoint ${name} ${place}: ${advice}`);
}

function pauseMsAfter(looks: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** looks);
}

function unwatch(watched: WatchedName): void {
  watched.files?.close();
  watched.files = undefined;
}
