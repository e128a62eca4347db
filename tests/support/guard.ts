// Runs the command it is given, and ends its whole process group when whoever started it dies, however that happens: the
// group is detached and hears no Ctrl-C, but the pipe on stdin closes with its other end.

import { spawn } from "node:child_process";

const [command = "", ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
child.on("error", (error) => {
  console.error(error.message);
  process.exit(127);
});
child.on("exit", (code, signal) => {
  console.error(`${command} ended: ${signal ?? `exit code ${code}`}`);
  process.exit(code ?? 1);
});

// A signal to the group is for the command; this process ends with it.
process.on("SIGTERM", () => {});
process.stdin.on("close", () => process.kill(0, "SIGKILL")).resume();
