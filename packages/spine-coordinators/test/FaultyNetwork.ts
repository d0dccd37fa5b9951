/** A network between clients and a server that loses what is sent, loses or cuts what is answered, or delivers it late. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What may become of something that a client sends. */
export const NETWORK_FAULTS = ["request lost", "answer lost", "answer cut", "answer late"] as const;
export type NetworkFault = (typeof NETWORK_FAULTS)[number];

const LATE_MS = 60;

/** One way through it, on a port of its own. */
export class FaultyNetwork {
  readonly faults = new Map<NetworkFault, number>();
  readonly #server: Server;
  readonly #random: () => number;
  readonly #ways = new Set<() => void>();
  #to: { readonly host: string; readonly port: number };
  /** One in so many messages meets a fault; 0 is none. */
  one_in = 0;

  private constructor(server: Server, random: () => number, to: { host: string; port: number }) {
    this.#server = server;
    this.#random = random;
    this.#to = to;
  }

  static async open(to: { host: string; port: number }, random: () => number) {
    const server = createServer({ noDelay: true });
    const network = new FaultyNetwork(server, random, to);
    server.on("connection", (client) => network.#join(client));
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    return network;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  close(): void {
    this.#server.close();
  }

  /** Leads to another server from now on; who is connected is cut off. */
  lead(to: { readonly host: string; readonly port: number }): void {
    this.#to = to;
    for (const cut of this.#ways) cut();
  }

  #join(client: Socket): void {
    const upstream = connect({ ...this.#to, noDelay: true });
    let next: NetworkFault | null = null;
    const cut = () => {
      client.destroy();
      upstream.destroy();
      this.#ways.delete(cut);
    };
    this.#ways.add(cut);
    for (const socket of [client, upstream]) socket.on("error", cut).on("close", cut);
    client.on("data", (sent) => {
      const fault = this.#draw();
      if (fault === "request lost") return cut();
      next ??= fault;
      upstream.write(sent);
    });
    upstream.on("data", (answer) => {
      const fault = next;
      next = null;
      if (fault === "answer lost") return cut();
      if (fault === "answer cut") {
        client.write(answer.subarray(0, Math.ceil(answer.length * this.#random())), cut);
      } else if (fault === "answer late") {
        upstream.pause();
        void sleep(LATE_MS * this.#random()).then(() => {
          client.write(answer);
          upstream.resume();
        });
      } else client.write(answer);
    });
  }

  #draw(): NetworkFault | null {
    if (this.one_in === 0 || this.#random() * this.one_in > 1) return null;
    const fault = NETWORK_FAULTS[Math.floor(this.#random() * NETWORK_FAULTS.length)]!;
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
    return fault;
  }
}
