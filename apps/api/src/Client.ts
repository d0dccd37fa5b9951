/** A typed client of the service, for programs on Effect. */
import type * as Effect from "effect/Effect";
import * as HttpApiClient from "effect/http-api/HttpApiClient";
import * as HttpClient from "effect/http/HttpClient";
import * as HttpClientRequest from "effect/http/HttpClientRequest";
import { Api } from "./Api.ts";

/** Where the service is, and the key that speaks for a tenant: none of a service that has no keys. */
export interface ClientSettings {
  readonly url: string;
  readonly key?: string | undefined;
}

/** Makes a client with a function for each operation, by group: `client.runs.start({ payload })`. A problem is its error. */
export const make = ({ url, key }: ClientSettings) =>
  HttpApiClient.make(Api, {
    baseUrl: url,
    transformClient:
      key === undefined
        ? (client) => client
        : HttpClient.mapRequest(HttpClientRequest.bearerToken(key)),
  });

/** What `make` makes. */
export type Client = Effect.Success<ReturnType<typeof make>>;
