/** Addresses that a host name stands for, and which of them are not the public network's. */
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import * as Effect from "effect/Effect";

/** IANA's special-purpose address registries (RFC 6890), as far as they are not globally reachable. */
const PRIVATE_IPV4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;
const PRIVATE_IPV6 = [
  ["::", 128],
  ["::1", 128],
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["2001:db8::", 32],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const;

const privateAddresses = new BlockList();
for (const [network, bits] of PRIVATE_IPV4) privateAddresses.addSubnet(network, bits, "ipv4");
for (const [network, bits] of PRIVATE_IPV6) privateAddresses.addSubnet(network, bits, "ipv6");

/** IPv4 inside IPv6: mapped (RFC 4291) and translated (RFC 6052), whose last 32 bits are the address. */
const EMBEDDED_IPV4 = new BlockList();
EMBEDDED_IPV4.addSubnet("::ffff:0:0", 96, "ipv6");
EMBEDDED_IPV4.addSubnet("64:ff9b::", 96, "ipv6");

const lastFour = (address: string): string => {
  const dotted = /(?<v4>\d+\.\d+\.\d+\.\d+)$/u.exec(address)?.groups?.["v4"];
  if (dotted !== undefined) return dotted;
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split(":");
  const [high = "0", low = "0"] = groups.slice(-2);
  const number = Number.parseInt(high || "0", 16) * 65_536 + Number.parseInt(low || "0", 16);
  return [24, 16, 8, 0].map((bits) => (number >>> bits) & 255).join(".");
};

/** Whether an IP address is loopback, private, link-local or otherwise not of the public network. What is no address is. */
export const isPrivateAddress = (address: string): boolean => {
  const version = isIP(address);
  if (version === 4) return privateAddresses.check(address, "ipv4");
  if (version !== 6) return true;
  const bare = address.split("%")[0]!;
  return EMBEDDED_IPV4.check(bare, "ipv6")
    ? isPrivateAddress(lastFour(bare))
    : privateAddresses.check(bare, "ipv6");
};

/** The addresses that a host of a URL stands for: itself where it is one; none where it does not resolve. */
export const addressesOf = (host: string): Effect.Effect<ReadonlyArray<string>> => {
  const bare = host.replace(/^\[(?<inner>.*)\]$/u, "$<inner>");
  if (isIP(bare) !== 0) return Effect.succeed([bare]);
  return Effect.promise(() =>
    lookup(bare, { all: true }).then(
      (found) => found.map(({ address }) => address),
      () => [],
    ),
  );
};
