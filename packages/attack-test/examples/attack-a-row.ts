import { AttackTestCoordinator } from "@runproof/attack-test/AttackTestCoordinator";
import * as AttackTestLayer from "@runproof/attack-test/AttackTestLayer";
import * as Effect from "effect/Effect";

// An embedded database of its own; give a superuser's URL to have one made, attacked and dropped on a server.
const layer = AttackTestLayer.layer(undefined);

const report = await Effect.runPromise(
  AttackTestCoordinator.use((test) => test.attack({ instances: 1, seed: 7, rows: [1] })).pipe(
    Effect.provide(layer),
  ),
);
console.log(report.passed, `${report.instances} attacks`);
