import { defineConfig } from "rolldown";

/**
 * The command in few files: to find and open each of some three hundred modules takes most of the time that a short command
 * has. Two stay packages of their own: the embedded database, which looks for its files beside itself, and the HTTP client,
 * whose names show only as it runs.
 */
export default defineConfig({
  input: "src/main.ts",
  platform: "node",
  external: ["@electric-sql/pglite"],
  plugins: [
    {
      name: "http-client",
      resolveId: (source) =>
        source === "./Undici.js" ? { id: "@effect/platform-node/Undici", external: true } : null,
    },
  ],
  output: {
    dir: "bundle",
    chunkFileNames: "[name].js",
    // Less to read; what an error's stack says stays readable.
    minify: { compress: false, mangle: false, codegen: true },
  },
});
