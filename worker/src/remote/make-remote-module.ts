/** Makes a module of a manifest's entry, whose callbacks run in the app. To the rest of the worker it is one like any other. */

import type { Context } from "genserverless";
import type { TurnContext } from "genserverless/runtime/turn-context.ts";
import { defineServer, type ServerModule } from "genserverless/server-module.ts";
import type { RemoteApp } from "genserverless/web/remote-modules.ts";
import { readRules } from "genserverless/web/rules.ts";
import type { ManifestEntry, RemoteCallback } from "genserverless/web/wire.ts";
import { changeRemoteState, invokeRemote, type Remote } from "./invoke-remote.ts";

/** `modules` are the worker's, as they are now. Throws InvalidModuleError for rules that are none. */
export function makeRemoteModule(
  entry: ManifestEntry,
  app: RemoteApp,
  modules: () => ReadonlyMap<string, ServerModule>,
): ServerModule {
  const isCurrent = () => modules().get(entry.name) === remote.module;
  const invoke = (callback: RemoteCallback, content: unknown, state: { state: unknown } | undefined, ctx: Context) =>
    invokeRemote(remote, callback, content, state, ctx as TurnContext);
  const callbacks = {
    init: (args: unknown, ctx: Context) => invoke("init", args, undefined, ctx),
    handleCall: (message: unknown, _from: unknown, state: unknown, ctx: Context) =>
      invoke("handleCall", message, { state }, ctx),
    handleCast: (message: unknown, state: unknown, ctx: Context) => invoke("handleCast", message, { state }, ctx),
    handleInfo: (message: unknown, state: unknown, ctx: Context) => invoke("handleInfo", message, { state }, ctx),
    handleContinue: (value: unknown, state: unknown, ctx: Context) => invoke("handleContinue", value, { state }, ctx),
    terminate: (reason: string, state: unknown, ctx: Context) => invoke("terminate", reason, { state }, ctx),
    codeChange: (fromVersion: number, state: unknown) => changeRemoteState(remote, fromVersion, state),
  };
  const has = Object.entries(callbacks).filter(([name]) => name === "init" || entry.callbacks.includes(name));
  const definition = { ...readRules(entry), ...Object.fromEntries(has) };
  const remote: Remote = { module: defineServer(definition as never) as ServerModule, app, isCurrent };
  return remote.module;
}
