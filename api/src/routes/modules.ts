/** Modules: which this cluster knows, and what a new version of one would make of the states that are stored. */

import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import type { MigrationReport } from "../migration.ts";
import { Migration, MigrationQuery, Modules } from "./module-schemas.ts";
import { defineRoute, type Route } from "./route.ts";

export interface ModuleParts {
  modules(): ReadonlyMap<string, ServerModule>;
  tryMigration(module: string, version: number): Promise<MigrationReport>;
}

export function moduleRoutes(parts: ModuleParts): Route[] {
  return [listRoute(parts), migrationRoute(parts)];
}

function listRoute({ modules }: ModuleParts): Route {
  return defineRoute({
    method: "get",
    path: "/v1/modules",
    name: "listModules",
    summary: "List the modules that this node has loaded",
    answers: { 200: { description: "The modules by name", schema: Modules } },
    problems: ["invalid_request"],
    handle: () => ({
      status: 200,
      json: { modules: [...modules().values()].map(({ name, version }) => ({ name, version })) },
    }),
  });
}

function migrationRoute({ modules, tryMigration }: ModuleParts): Route {
  return defineRoute({
    method: "get",
    path: "/v1/modules/:name/migration",
    name: "tryMigration",
    summary: "Try a module on what it has stored: codeChange, or recovery from each journal; nothing is changed",
    query: MigrationQuery,
    answers: { 200: { description: "What it would come to", schema: Migration } },
    problems: ["invalid_request", "unknown_module", "store_unavailable"],
    async handle({ params }) {
      const module = modules().get(params["name"] ?? "");
      if (!module) throw new ClusterError("unknown_module", `there is no module "${params["name"]}"`);
      return { status: 200, json: await tryMigration(module.name, module.version) };
    },
  });
}
