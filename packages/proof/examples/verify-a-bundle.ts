import { verifyBundle } from "@runproof/proof/Verifier";
import { readFileSync } from "node:fs";

/** Verifies a bundle with no database and no network, and says what it came to. */
export const verifyFile = (path: string, trustedKeys?: ReadonlyArray<string>): string => {
  const { integrity, lifecycle, assurance, findings } = verifyBundle(
    readFileSync(path, "utf8"),
    trustedKeys === undefined ? {} : { trusted_keys: trustedKeys },
  );
  const found = findings.map(({ code, message }) => `${code}: ${message}`);
  return [`${integrity.verification_status} ${lifecycle} ${assurance}`, ...found].join("\n");
};
