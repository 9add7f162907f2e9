import { Session } from "../../runtime/session/session.js";
import { MemoryBlocks } from "../../transports/memory/memory-blocks.js";
import type { LinkLimits, LinkReceiver } from "../../transports/transport.js";
import { type LinkObserver, type SimBlocks, SimLink } from "./link.js";
import type { Random } from "./random.js";
import { drawFaults, type Scenario } from "./scenario.js";
import type { TopicAccount } from "./topic-account.js";
import { watchReceivers } from "./watch-receivers.js";
import { describeFrame, type SideIndex, WireRules } from "./wire-rules.js";
import type { World } from "./world.js";

/** One connection of a run. */
export interface Connected {
  readonly ends: readonly [SimLink, SimLink];
  readonly rules: WireRules;
  readonly sessions: Session[];
}

/** Every connection of a run, with the rules that its frames are held to. */
export class Links {
  readonly all: Connected[] = [];
  /** The blocks that payloads are sent in, where there are any. */
  readonly blocks: SimBlocks | undefined;
  /** The publisher takes a subscription on; what reaches the subscriber is accounted for in `account`. */
  onJoined: (subscription: object, fullName: string, account: TopicAccount) => void = () => undefined;
  isClosing = false;
  readonly #world: World;
  readonly #random: Random;
  readonly #scenario: Scenario;

  constructor(world: World, random: Random, scenario: Scenario) {
    this.#world = world;
    this.#random = random;
    this.#scenario = scenario;
    const { blocks } = scenario;
    if (blocks !== undefined)
      this.blocks = { store: new MemoryBlocks(blocks), maxHeldBlocks: blocks.maxHeldBlocks };
  }

  /** Whether a byte was changed anywhere. */
  get isCorrupted(): boolean {
    return this.all.some(({ ends }) => ends[0].isCorrupted || ends[1].isCorrupted);
  }

  make(path: string, dialler: LinkLimits, acceptor: LinkLimits): readonly [SimLink, SimLink] {
    const world = this.#world;
    const index = this.all.length;
    const { faults, fragmentBytes, serverLimits, clientLimits } = this.#scenario;
    const sessions: Session[] = [];
    const opened: [Map<number, object>, Map<number, object>] = [new Map(), new Map()];
    const rules = new WireRules({
      report: (text) => world.report(`link ${index}: ${text}`),
      budgetBytes: [clientLimits.streamBudgetBytes, serverLimits.streamBudgetBytes],
      onOpened: (side, streamId, method) => {
        const receiver = opened[1 - side]!.get(streamId);
        const account = rules.sides[1 - side]!.streams.get(streamId)?.topic;
        if (receiver !== undefined && account !== undefined) this.onJoined(receiver, method, account);
      },
    });
    const isCorrupted = (): boolean => ends[0].isCorrupted || ends[1].isCorrupted;
    const observe = (side: SideIndex): LinkObserver => {
      const name = `link ${index} side ${side}`;
      return {
        onCommit(record) {
          if (isCorrupted()) return;
          world.log(`${name} sends ${describeFrame(rules.committed(side, record))}`);
        },
        onDeliver(record) {
          if (isCorrupted()) world.log(`${name} gets ${record.length} bytes`);
          else world.log(`${name} gets ${describeFrame(rules.delivered(side, record))}`);
        },
        onStart(receiver: LinkReceiver) {
          if (!(receiver instanceof Session)) throw new TypeError("the receiver of a link is no session");
          sessions.push(receiver);
          watchReceivers(receiver, world, (streamId, user) => opened[side].set(streamId, user));
        },
        onEnd: (end) => {
          if (end.kind === "protocol" && !isCorrupted())
            world.report(`${name}: protocol error: ${end.message}`);
        },
      };
    };
    const make = (side: SideIndex, limits: LinkLimits): SimLink =>
      new SimLink(
        world,
        this.#random.fork(),
        `${path} ${index}.${side}`,
        limits,
        fragmentBytes,
        drawFaults(this.#random, faults),
        this.blocks,
        observe(side),
      );
    const ends: readonly [SimLink, SimLink] = [make(0, dialler), make(1, acceptor)];
    ends[0].connect(ends[1]);
    ends[1].connect(ends[0]);
    this.all.push({ ends, rules, sessions });
    return ends;
  }
}
