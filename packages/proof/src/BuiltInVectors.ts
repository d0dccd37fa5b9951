/** The format's own vectors, made by an independent implementation: the self-check of an installed copy. */
import vectors from "./vectors.json" with { type: "json" };
import { checkVectors, type VectorsReport } from "./Vectors.ts";

/** Checks this implementation against the built-in vectors. */
export const checkBuiltInVectors = (): VectorsReport => checkVectors(vectors);
