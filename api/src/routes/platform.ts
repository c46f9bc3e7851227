/** The rest of what clients of an older system may ask for: who is there, and users, which that system never had either. */

import type { Answer } from "../respond.ts";
import { Welcome } from "./functions-schemas.ts";
import { defineRoute, type Route } from "./route.ts";

const WELCOME: Answer = {
  status: 200,
  json: { message: "Welcome eserveless platform", version: "0.0.1", author: "@evanxg852000" },
};
const NO_USERS: Answer = {
  status: 501,
  json: { error: "Not Implemented", message: "there are no users: API_TOKEN, where it is set, guards all of the api" },
};

export function platformRoutes(): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/",
      name: "welcome",
      summary: "Who is there",
      isPublic: true,
      answers: { 200: { description: "A platform for functions", schema: Welcome } },
      problems: [],
      handle: () => WELCOME,
    }),
    ...["/api/users", "/api/users/:name"].map((path) =>
      defineRoute({
        method: "all",
        path,
        name: "refuseUsers",
        summary: "",
        isRelayed: true,
        answers: {},
        problems: [],
        handle: () => NO_USERS,
      }),
    ),
  ];
}
