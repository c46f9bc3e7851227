import { defineServer, noreply, reply } from "genserverless";

/**
 * The stack of OTP's documentation: a list whose first element is the top. An empty stack pops and peeks null; size
 * tells it from a stack with null on top.
 */
export default defineServer({
  name: "stack",
  version: 1,
  init: (elements: unknown): unknown[] => {
    if (elements === undefined || elements === null) return [];
    if (!Array.isArray(elements)) throw new TypeError(`stack starts from a list, not ${JSON.stringify(elements)}`);
    return elements;
  },
  handleCall: (message: "pop" | "peek" | "size", _from, state) => {
    const [top = null, ...rest] = state;
    switch (message) {
      case "pop":
        return reply(top, rest);
      case "peek":
        return reply(top, state);
      case "size":
        return reply(state.length, state);
      default:
        throw new TypeError(`stack answers pop, peek and size, not ${JSON.stringify(message)}`);
    }
  },
  handleCast: (message: { push: unknown }, state) => {
    if (message?.push === undefined) throw new TypeError(`stack takes { push }, not ${JSON.stringify(message)}`);
    return noreply([message.push, ...state]);
  },
});
