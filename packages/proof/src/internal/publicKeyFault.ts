/** What Ed25519 public keys may be (RFC 8032, section 5.1.3): whether a library refuses the others depends on its version. */

const P = 2n ** 255n - 19n;
/** -121665 / 121666. */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const SIGN_BIT = 0x80;

const modulo = (number: bigint): bigint => ((number % P) + P) % P;

const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n;
  for (let [square, left] = [modulo(base), exponent]; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
};

/** The y of the points whose order divides 8: under such a key forged signatures hold, some for any message. */
const SMALL_ORDER: ReadonlyArray<bigint> = (() => {
  const order8 = BigInt("0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7");
  return [0n, 1n, P - 1n, order8, P - order8];
})();

/** Why 32 bytes are no public key that signatures may be checked with; null where they are one. */
export const publicKeyFault = (bytes: Uint8Array): string | null => {
  const reversed = Buffer.from(bytes).reverse();
  reversed[0]! &= ~SIGN_BIT;
  const y = BigInt(`0x${reversed.toString("hex")}`);
  if (y >= P) return "its key is not written in the one way";
  if (SMALL_ORDER.includes(y)) return "its key is of small order: anybody can sign for it";
  const square = modulo(y * y);
  const [u, v] = [modulo(square - 1n), modulo(D * square + 1n)];
  // u / v has a root where u * v has one (Euler's criterion).
  return power(u * v, (P - 1n) / 2n) === 1n ? null : "its key is no point of the curve";
};
