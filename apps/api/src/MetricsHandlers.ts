/** Counts requests, and answers what a Prometheus server reads. */
import { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import * as OpenApi from "effect/http-api/OpenApi";
import * as HttpRouter from "effect/http/HttpRouter";
import * as HttpServerRequest from "effect/http/HttpServerRequest";
import * as HttpServerResponse from "effect/http/HttpServerResponse";
import * as Metric from "effect/Metric";
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics";
import { Api } from "./Api.ts";
import { answered } from "./Problem.ts";

/** Seconds that a request may take, from that of one row to that of a whole bundle. */
const DURATIONS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const requests = Metric.counter("runproof_http_requests_total", {
  description: "Requests answered, by method, route and status",
  incremental: true,
});

const durations = Metric.histogram("runproof_http_request_duration_seconds", {
  description: "How long requests took to the head of their answer, by method and route",
  boundaries: DURATIONS_S,
});

const GAUGES = {
  open_traces: "Traces that are open",
  traces_past_lease: "Open traces whose lease is over",
  log_entries: "Entries of the log with an index",
  log_entries_waiting: "Entries that wait for their index",
} as const;

const gauges = Object.entries(GAUGES).map(
  ([name, description]) =>
    [name as keyof typeof GAUGES, Metric.gauge(`runproof_${name}`, { description })] as const,
);

/** The routes' templates with what matches them, those without a place first. */
const ROUTES = Object.keys(OpenApi.fromApi(Api).paths)
  .toSorted((a, b) => a.split("{").length - b.split("{").length)
  .map((template) => {
    const literal = template.replaceAll(/[.*+?^$()|[\]\\]/gu, String.raw`\$&`);
    return [template, new RegExp(`^${literal.replaceAll(/\{\w+\}/gu, "[^/]+")}$`, "u")] as const;
  });

/** The template of a path: the path itself would make a series of each run. */
const routeOf = (url: string): string => {
  const [path] = url.split("?", 1);
  return ROUTES.find(([, pattern]) => pattern.test(path!))?.[0] ?? "none";
};

/** Counts each request once its answer begins. One that was cut off has no status. */
export const layer = HttpRouter.middleware(
  (httpEffect) =>
    Effect.gen(function* () {
      const { method, url } = yield* HttpServerRequest.HttpServerRequest;
      const route = routeOf(url);
      const began_ms = performance.now();
      return yield* Effect.onExit(httpEffect, (exit) => {
        const status = Exit.isSuccess(exit) ? String(exit.value.status) : "none";
        const took_s = (performance.now() - began_ms) / 1_000;
        return Effect.andThen(
          Metric.update(Metric.withAttributes(requests, { method, route, status }), 1),
          Metric.update(Metric.withAttributes(durations, { method, route }), took_s),
        );
      });
    }),
  { global: true },
);

/** The handlers of the metrics group. */
export const MetricsHandlers = HttpApiBuilder.group(Api, "metrics", (handlers) =>
  handlers.handleAll({
    metrics: Effect.fnUntraced(function* () {
      const load = yield* (yield* TraceCoordinator).load;
      for (const [name, gauge] of gauges) yield* Metric.update(gauge, load[name]);
      return HttpServerResponse.text(yield* PrometheusMetrics.format(), {
        contentType: "text/plain; version=0.0.4",
      });
    }, answered),
  }),
);
