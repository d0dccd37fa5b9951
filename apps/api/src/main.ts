#!/usr/bin/env node
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import * as Logger from "effect/Logger";
import * as Server from "./Server.ts";

const program = Layer.launch(Server.fromEnvironment()).pipe(
  Effect.tapError((error) => ("remedy" in error ? Effect.logFatal(error.remedy) : Effect.void)),
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal(Cause.squash(cause)),
  ),
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])),
);

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  // A service that was asked to stop and has stopped is no failure.
  teardown: (exit, onExit) =>
    onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1),
});
