import { describe } from "vitest";
import { makeWorld, type TransportName } from "../../harness/world.js";
import { blockingTests } from "./blocking.js";
import { borrowTests } from "./borrowing.js";
import { borrowedCallTests } from "./borrowing-calls.js";
import { callTests } from "./calls.js";
import { cancellationTests } from "./cancellation.js";
import { deadlineTests } from "./deadlines.js";
import { errorTests } from "./errors.js";
import { fanOutTests } from "./fan-out.js";
import { flowTests } from "./flow.js";
import { eachResponseTests } from "./each-response.js";
import { forEachTests } from "./for-each.js";
import { inPlaceTests } from "./in-place.js";
import { inspectTests } from "./inspect.js";
import { interceptorTests } from "./interceptors.js";
import { largeTests } from "./large.js";
import { lifecycleTests } from "./lifecycle.js";
import { limitTests } from "./limits.js";
import { loanTests } from "./loans.js";
import { metadataTests } from "./metadata.js";
import { overflowTests } from "./overflow.js";
import { reconnectTests } from "./reconnect.js";
import { topicTests } from "./topics.js";

/** What calls and topics do, whatever carries them. Run by a test file of each transport. */
export function sessionSuite(transport: TransportName, canBorrow?: boolean): void {
  describe(`sessions over ${transport}`, () => {
    const world = makeWorld(transport, canBorrow);
    callTests(world);
    deadlineTests(world);
    cancellationTests(world);
    metadataTests(world);
    errorTests(world);
    flowTests(world);
    limitTests(world);
    lifecycleTests(world);
    interceptorTests(world);
    topicTests(world);
    overflowTests(world);
    fanOutTests(world);
    forEachTests(world);
    eachResponseTests(world);
    largeTests(world);
    loanTests(world);
    borrowTests(world);
    borrowedCallTests(world);
    inPlaceTests(world);
    blockingTests(world);
    reconnectTests(world);
    inspectTests(world);
  });
}
