/** A shop on loopback for the demonstration: an order, a payment provider that is busy at first, a mailer. */
import * as Effect from "effect/Effect";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { load } from "./Runproof.ts";

/** How long each answer takes, so that the timeline has something to show. */
const LATENCY_MS = { order: 60, refund: 140, busy: 40, mail: 90 };

/** What the refund is of, in cents. */
export const REFUND_CENTS = 4990;

const order = {
  id: "1842",
  status: "delivered",
  total_cents: REFUND_CENTS,
  currency: "EUR",
  customer: "c-77",
};

interface Answer {
  readonly status: number;
  readonly latency_ms: number;
  readonly body: unknown;
}

/** The shop's routes. The payment provider refuses the first refund as busy, and takes the second. */
const routes = (): ((request: IncomingMessage) => Answer) => {
  let refund_attempts = 0;
  return (request) => {
    switch (`${request.method} ${request.url}`) {
      case "GET /orders/1842":
        return { status: 200, latency_ms: LATENCY_MS.order, body: order };
      case "PUT /refunds/1842":
        refund_attempts += 1;
        return refund_attempts === 1
          ? {
              status: 503,
              latency_ms: LATENCY_MS.busy,
              body: { error: "payment provider is busy" },
            }
          : {
              status: 201,
              latency_ms: LATENCY_MS.refund,
              body: { refund: "1842", state: "booked" },
            };
      case "POST /messages":
        return {
          status: 202,
          latency_ms: LATENCY_MS.mail,
          body: { message: "m-1", state: "queued" },
        };
      default:
        return { status: 404, latency_ms: 0, body: { error: "no such route" } };
    }
  };
};

const respond = (response: ServerResponse, answer: Answer): void => {
  setTimeout(() => {
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer.body));
  }, answer.latency_ms);
};

// It takes a third of the time that a short command has to start: for this demonstration alone.
const http = load(() => import("node:http"));

const listen = Effect.flatMap(http, ({ createServer }) =>
  Effect.callback<Server>((resume) => {
    const answer = routes();
    const server = createServer((request, response) => {
      // The answer waits for the whole request, as a shop's would.
      request.resume().on("end", () => respond(response, answer(request)));
    });
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)));
  }),
);

const close = (server: Server) =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void));
    server.closeAllConnections();
  });

/** Opens the shop on a free port; answers its base URL. It closes with the scope. */
export const open = Effect.map(Effect.acquireRelease(listen, close), (server) => {
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
});

/** What the agent does there: look the order up, refund it, tell the customer. */
export const plan = (base_url: string) => ({
  steps: [
    { skill: "http_call", params: { method: "GET", url: `${base_url}/orders/1842` } },
    {
      skill: "http_call",
      params: {
        method: "PUT",
        url: `${base_url}/refunds/1842`,
        body: { amount_cents: REFUND_CENTS, reason: "arrived damaged" },
      },
      retries: 2,
    },
    {
      skill: "http_call",
      params: {
        method: "POST",
        url: `${base_url}/messages`,
        body: { to: "c-77", text: "Your refund of 49.90 EUR is on its way." },
      },
    },
    { skill: "http_call", params: { method: "GET", url: `${base_url}/orders/1842` } },
  ],
});
