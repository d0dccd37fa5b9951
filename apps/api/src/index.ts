/** The service, each part as a namespace; import one alone by its file: `@runproof/api/Server`. */
export * as Api from "./Api.ts";
export * as Client from "./Client.ts";
export * as Health from "./Health.ts";
export * as HealthHandlers from "./HealthHandlers.ts";
export * as Server from "./Server.ts";
