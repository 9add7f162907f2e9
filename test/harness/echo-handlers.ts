import type { EchoHandlers } from "../../gen/test/v1/echo_protoipc.js";

/** Handlers that answer with what they are given. */
export const echoHandlers: EchoHandlers = {
  say: ({ text, number, body }) => ({ text, number, body }),
  async *count({ number, text, body }) {
    for (let i = 0; i < number; i++) yield { number: i, text, body };
  },
  async sum(requests) {
    let number = 0;
    let text = "";
    let count = 0;
    for await (const request of requests) {
      number += request.number;
      text += request.text;
      count++;
    }
    return { number, text, count };
  },
  async *chat(requests) {
    for await (const { text, number, body } of requests) yield { text, number, body };
  },
  note: () => undefined,
};
