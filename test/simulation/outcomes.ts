import { type Call, deniesExecution } from "./calls.js";
import type { Run } from "./simulate.js";
import { dueTo, type SimSubscription } from "./topics.js";
import { unsettledCalls } from "./watch-receivers.js";

/** Timers are set in whole milliseconds, and a deadline may be worked out again on the other side. */
const DEADLINE_SLACK_MS = 3;

/** Nothing was torn or closed, and nothing is due any more: then every call has come to its end. */
export function checkAtRest(run: Run): void {
  const { world, calls, running, links, topics, subscriptions } = run;
  for (const call of calls) {
    if (call.settled !== 1)
      world.report(`${call.id} (${call.kind}) is not settled though nothing is due any more`);
  }
  for (const { call } of running)
    world.report(`the handler of ${call.id} has not returned though nothing is due`);
  for (const topic of topics) {
    if (!topic.isDone) world.report(`${topic.plan.name} waits to publish though nothing is due any more`);
  }
  for (const sim of subscriptions) {
    if (sim.ended === undefined && sim.account !== undefined) checkKeys(run, sim, "is at rest");
  }
  for (const { rules } of links.all) {
    for (const side of rules.sides) {
      const { peerLimits } = side;
      if (peerLimits === undefined) continue;
      // What the callee has not granted again is less than half.
      if (
        side.oneWayMessages * 2 <= peerLimits.oneWayMessages ||
        side.oneWayBytes * 2 <= peerLimits.oneWayBytes
      ) {
        const text = `${side.oneWayMessages} calls, ${side.oneWayBytes} bytes`;
        world.report(
          `one-way credit has run dry at rest: ${text} of ${peerLimits.oneWayMessages}, ${peerLimits.oneWayBytes}`,
        );
      }
    }
  }
}

/** What holds for calls in every run. */
export function checkOutcomes(run: Run): void {
  for (const call of run.calls) checkCall(run, call);
}

function checkCall(run: Run, call: Call): void {
  const { world, links, scenario } = run;
  if (call.settled > 1) world.report(`${call.id} was settled ${call.settled} times`);
  if (call.headers > 1) world.report(`${call.id} got ${call.headers} headers`);
  if (call.handlerStarts > 1 && !links.isCorrupted)
    world.report(`${call.id} was executed ${call.handlerStarts} times`);
  if (deniesExecution(call.error) && call.handlerStarts > 0 && !links.isCorrupted) {
    world.report(`${call.id} was executed, but its error says that it was not: ${String(call.error)}`);
  }
  if (call.timeoutMs !== undefined && call.begunMs !== undefined) {
    const latestMs = call.begunMs + call.timeoutMs + DEADLINE_SLACK_MS;
    if (call.settledMs === undefined || call.settledMs > latestMs) {
      // A caller that reads slowly learns of the end when it has read what came before.
      const reads = call.kind === "count" || call.kind === "chat";
      if (!reads || call.readDelayMs === 0) {
        world.report(`${call.id} had to end by ${latestMs} ms, and ended at ${call.settledMs} ms`);
      }
    }
  }
  if (scenario.isBenign && call.error === undefined && call.settled === 1 && call.kind !== "note") {
    if (call.handlerStarts !== 1 && call.breakAfter === undefined)
      world.report(`${call.id} ended well without a handler`);
  }
}

/** Every publisher is closed: whoever was still subscribed has got or lost each publication of each key. */
export function checkSubscriptions(run: Run): void {
  for (const sim of run.subscriptions) {
    if (sim.ended === "well") checkKeys(run, sim, "ended well");
  }
}

/** What has come and what is reported as lost is, for each key, what was published; the subscription tells the same. */
function checkKeys({ world, topics }: Run, sim: SimSubscription, how: string): void {
  const { id, account, subscription, readOf } = sim;
  const report = (text: string): void => world.report(`${id} ${how} ${text}`);
  if (account?.startOf === undefined) {
    report("though no publisher has taken it on");
    return;
  }
  const due = dueTo(sim, topics.find(({ plan }) => plan.name === sim.topic)!);
  for (const [key, last] of due) {
    const start = account.startOf(key);
    const { received, lost, seq } = account.keys.get(key) ?? { received: 0, lost: 0, seq: start };
    if (received + lost !== last - start || seq !== last) {
      const counts = `${received} received and ${lost} lost of ${last - start} publications`;
      report(`with ${counts} of ${key}, up to number ${seq} of ${last}`);
    }
    const read = readOf.get(key) ?? 0;
    if (read !== received) report(`with ${read} read of ${received} received publications of ${key}`);
  }
  let received = 0;
  let lost = 0;
  for (const [key, counts] of account.keys) {
    received += counts.received;
    lost += counts.lost;
    if (!due.has(key)) report(`and was told of ${key}, which it does not ask for or nobody published`);
  }
  if (subscription.received !== received || subscription.lost !== lost) {
    const told = `${subscription.received} received and ${subscription.lost} lost`;
    report(`and tells ${told} where ${received} and ${lost} reached it`);
  }
}

/** Every endpoint is closed: nothing is left. */
export function checkResidue(run: Run): void {
  const { world, calls, running, links, hosts, subscriptions } = run;
  for (const call of calls) {
    if (call.begunMs !== undefined && call.settled !== 1) {
      world.report(`${call.id} (${call.kind}) was settled ${call.settled} times`);
    }
    if (call.handlerReturns !== call.handlerStarts) world.report(`a handler of ${call.id} has not returned`);
  }
  for (const { call, context } of running) {
    if (!context.signal.aborted) world.report(`the handler of ${call.id} was not told that all is over`);
  }
  for (const sim of subscriptions) {
    if (sim.ended === undefined) world.report(`${sim.id} has not ended`);
  }
  hosts.forEach((host, index) => {
    if (host.timers > 0) world.report(`host ${index} has ${host.timers} timers left`);
  });
  for (const { sessions } of links.all) {
    for (const session of sessions) checkSession(run, session);
  }
  const blocks = links.blocks?.store.blocksInUse ?? 0;
  if (blocks > 0) world.report(`${blocks} blocks were never given back`);
}

function checkSession(run: Run, session: Run["links"]["all"][number]["sessions"][number]): void {
  const { world } = run;
  const { limits } = session.config;
  if (session.closedBy === undefined) world.report("a session is not closed");
  if (session.streams.size > 0) world.report(`${session.streams.size} streams are left in a session`);
  if (unsettledCalls(session) > 0)
    world.report(`${unsettledCalls(session)} calls of a session were never settled`);
  if (session.grantBudget.bytes !== limits.streamBudgetBytes) {
    world.report(`a session's budget is ${session.grantBudget.bytes} bytes of ${limits.streamBudgetBytes}`);
  }
  if (session.opener.takeQueued().length > 0) world.report("calls are left in a session's queue");
  // The counter itself is hidden; where it stands shows by what makes the session congested.
  session.addPendingResponse(limits.maxPendingResponseBytes);
  const isBelow = !session.isCongested;
  session.addPendingResponse(1);
  if (!isBelow || !session.isCongested)
    world.report("the count of bytes of pending responses is not 0 after the end");
}
