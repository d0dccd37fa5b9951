import { command, version } from "@runproof/cli/Cli";
import * as ExitCode from "@runproof/cli/ExitCode";

console.log(`${command.name} ${version}`);
for (const [code, meaning] of ExitCode.meanings) console.log(code, meaning);
