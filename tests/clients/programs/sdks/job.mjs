// The job of an agent that is built on an SDK: what its command line asks for, its one tool, and its history.
// Usage: agent.mjs ask PROMPT | agent.mjs resume PROMPT | agent.mjs image PATH PROMPT
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const HISTORY = join(homedir(), "history.json");
const [kind, ...words] = process.argv.slice(2);

export const SYSTEM = "You are a coding agent.";
export const MAX_ROUNDS = 20;
export const prompt = words.at(-1);
export const image = kind === "image" ? readFileSync(words[0]).toString("base64") : null;
export const history = kind === "resume" && existsSync(HISTORY) ? JSON.parse(readFileSync(HISTORY, "utf8")) : null;

export const TOOL = {
  name: "bash",
  description: "Run a shell command.",
  schema: {
    type: "object",
    properties: { command: { type: "string" } },
    required: ["command"],
    additionalProperties: false,
  },
};

// Runs a command and returns everything it printed. Throws an error with that if the command fails.
export function run({ command }) {
  const { stdout, stderr, status } = spawnSync("bash", ["-c", command], { encoding: "utf8" });
  if (status) throw new Error(`exit code ${status}\n${stdout}${stderr}`);
  return stdout || "(no output)";
}

// The same for SDKs that leave failures to the agent: the message of the error is the result.
export function outcome(given) {
  try {
    return { text: run(given), failed: false };
  } catch (error) {
    return { text: error.message, failed: true };
  }
}

export const save = (messages) => writeFileSync(HISTORY, JSON.stringify(messages));
export const show = (text) => process.stdout.write(text);
