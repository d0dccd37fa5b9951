/** Reads the wire form of protobuf messages: as much of it as OTLP's requests use. */
import { SpansUnreadable } from "./Span.ts";

/** A field's value as it stands on the wire. */
export type WireValue =
  | { readonly wire: "varint" | "fixed64" | "fixed32"; readonly number: bigint }
  | { readonly wire: "bytes"; readonly bytes: Uint8Array };

const VARINT_BYTES_MAX = 10;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const cut = () => new SpansUnreadable("the message is cut off");

/** Gives `take` each field of a message; whoever does not know one leaves it. */
export const forEachField = (
  bytes: Uint8Array,
  take: (field: number, value: WireValue) => void,
): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let place = 0; place < VARINT_BYTES_MAX; place += 1) {
      const byte = bytes[at];
      if (byte === undefined) throw cut();
      at += 1;
      value |= BigInt(byte & 0x7f) << BigInt(7 * place);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new SpansUnreadable("a number has more than 64 bits");
  };
  const skip = (length: number): number => {
    const from = at;
    if (length > bytes.length - at) throw cut();
    at += length;
    return from;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Number(tag >> 3n);
    if (field === 0) throw new SpansUnreadable("a field has the number 0");
    switch (Number(tag & 7n)) {
      case 0:
        take(field, { wire: "varint", number: varint() });
        break;
      case 1:
        take(field, { wire: "fixed64", number: view.getBigUint64(skip(8), true) });
        break;
      case 2: {
        const length = varint();
        if (length > BigInt(bytes.length)) throw cut();
        const from = skip(Number(length));
        take(field, { wire: "bytes", bytes: bytes.subarray(from, at) });
        break;
      }
      case 5:
        take(field, { wire: "fixed32", number: BigInt(view.getUint32(skip(4), true)) });
        break;
      default:
        throw new SpansUnreadable("a field is of no known wire type");
    }
  }
};

/** The bytes of a field that holds some. */
export const bytesOf = (value: WireValue): Uint8Array => {
  if (value.wire !== "bytes") throw new SpansUnreadable("a field is of another type");
  return value.bytes;
};

/** The number of a field that holds one. */
export const numberOf = (value: WireValue): bigint => {
  if (value.wire === "bytes") throw new SpansUnreadable("a field is of another type");
  return value.number;
};

/** The text of a field that holds one. */
export const textOf = (value: WireValue): string => {
  try {
    return decoder.decode(bytesOf(value));
  } catch (error) {
    if (error instanceof SpansUnreadable) throw error;
    throw new SpansUnreadable("a text is no UTF-8");
  }
};
