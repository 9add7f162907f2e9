import type { ChildProcess } from "node:child_process";
import type { Payload } from "../../gen/bench/v1/bench_pb.js";
import type { CaseName, Scenario } from "../cases.js";

/** What both processes of a program know. */
export interface Setting {
  readonly scenario: Scenario;
  /** Empty at the start, and the program's own: the place for sockets. */
  readonly directory: string;
}

/** What the client knows beside. */
export interface ClientSetting extends Setting {
  readonly server: ChildProcess;
}

export interface UnaryClient {
  /** Sends the message and resolves with what the server sent back. */
  echo(message: Payload): Promise<Payload>;
  /** The same, where what comes back may be read, and only before `read` returns. Taken where it is there. */
  echoInPlace?(message: Payload, read: (reply: Payload) => void): Promise<void>;
  /** Whether `echo` may be called only after the one before has resolved. */
  readonly oneAtATime?: boolean;
}

export interface StreamClient {
  /** Has the server send `count` messages with ids from 0. Resolves after the last one. */
  stream(count: number, onMessage: (message: Payload) => void): Promise<void>;
}

export interface OneWayClient {
  /** Sends. A promise means: wait for it before the next one. */
  push(message: Payload): Promise<void> | undefined;
  /** Resolves when so many have arrived, decoded, since the server started. */
  awaitPushes(atLeast: number): Promise<void>;
}

export interface SubscribingClient<Message> {
  /** Subscribes as often as the scenario says, each time over a connection of its own. */
  subscribe(onMessage: (subscriber: number, message: Message) => void): Promise<void>;
}

export interface PublishingServer {
  /** Waits until all are subscribed, then publishes `count` messages with ids from 0, and loses none. */
  publish(count: number): Promise<void>;
}

export interface RecordClient {
  /**
   * Sends records with numbers from 1, each when the server has sent the one before back, for as long as `next`, asked
   * before each, returns true. Both sides write and check every byte (`RecordMemory`).
   */
  run(next: () => boolean): Promise<void>;
}

export interface WakeUpClient {
  /** Tells how long each message was on its way, in microseconds; the server sends one per millisecond. */
  receive(onMessage: (latencyUs: number) => void): Promise<void>;
}

/** A process that is connected, and may be killed. */
export interface Victim {
  /** Kills it. Resolves, when its end was told, with how long that took, in microseconds. */
  kill(): Promise<number>;
}

export interface DeathClient {
  /** Starts a process and connects to it. The number tells it from others. */
  victim(number: number): Promise<Victim>;
}

/** One case of one peer: what the server process does, and the client process. */
export interface Sides<Server, Client> {
  serve(setting: Setting): Promise<Server>;
  connect(setting: ClientSetting): Promise<Client>;
}

/** Publishing, of messages that are encoded or raw. */
export type PublishSides<Message> = Sides<PublishingServer, SubscribingClient<Message>>;

/** Something to compare with. It leaves out the cases that it does not have. */
export interface Peer {
  readonly name: string;
  /** The npm packages whose versions matter. */
  readonly packages: readonly string[];
  /** Whether the server is to be started with an IPC channel to the client, as `child_process.fork` does. */
  readonly ipcChannel?: boolean;
  readonly unary?: Sides<void, UnaryClient>;
  readonly stream?: Sides<void, StreamClient>;
  readonly oneWay?: Sides<void, OneWayClient>;
  readonly publish?: PublishSides<Payload>;
  readonly publishCpu?: PublishSides<Payload>;
  readonly publishRaw?: PublishSides<Uint8Array>;
  readonly record?: Sides<void, RecordClient>;
  readonly wakeUp?: Sides<void, WakeUpClient>;
  readonly death?: Sides<void, DeathClient>;
  /** Cases that a C program measures by itself, with both its processes: the name of its file in bench/c. */
  readonly programs?: Partial<Readonly<Record<CaseName, string>>>;
}
