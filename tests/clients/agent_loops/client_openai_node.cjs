// OpenAI's SDK for Node: `create`, `.stream()`, `runTools` and `.parse()` with its zod helpers.
"use strict";

const assert = require("node:assert/strict");
const OpenAI = require("openai").default;
const { zodFunction, zodResponseFormat } = require("openai/helpers/zod");
const { z } = require("zod");
const { MODEL, MAX_ROUNDS, QUESTION, REPORT, baseURL, outcome, round, printResults } = require("./toolbox.cjs");

const Weather = z.object({ city: z.string() });
const Mail = z.object({ to: z.array(z.string()), subject: z.string() });
const Report = z.object({ city: z.string(), degrees: z.number().int() });
const tools = [
  zodFunction({
    name: "get_weather",
    description: "The weather of a city.",
    parameters: Weather,
    function: (given) => outcome("get_weather", given),
  }),
  zodFunction({
    name: "send_mail",
    description: "Send a mail about something.",
    parameters: Mail,
    function: (given) => outcome("send_mail", given),
  }),
];
const client = new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0, timeout: 60_000 });
const completions = client.chat.completions;

// Returns the arguments of a call. If the SDK has parsed them too, they have to be the same.
function argumentsOf(call) {
  const given = JSON.parse(call.function.arguments);
  if (call.function.parsed_arguments) assert.deepEqual(call.function.parsed_arguments, given);
  return given;
}

function seen({ choices: [{ message, finish_reason }], usage }) {
  const calls = (message.tool_calls ?? []).map((call) => [call.function.name, argumentsOf(call)]);
  const used = [usage.prompt_tokens, usage.completion_tokens];
  return round(message.content, calls, finish_reason, used); // of reasoning `.stream()` keeps the last delta only
}

async function loop(ask, fields = {}) {
  const messages = [{ role: "user", content: QUESTION }];
  const rounds = [];
  while (rounds.length < MAX_ROUNDS) {
    const completion = await ask({ model: MODEL, messages, tools, ...fields });
    const { message } = completion.choices[0];
    rounds.push(seen(completion));
    if (!message.tool_calls?.length) break;
    messages.push(message);
    for (const call of message.tool_calls) {
      const content = outcome(call.function.name, argumentsOf(call));
      messages.push({ role: "tool", tool_call_id: call.id, content });
    }
  }
  return rounds;
}

const include_usage = { stream_options: { include_usage: true } };
const whole = (fields) => completions.create(fields);
const parse = (fields) => completions.parse(fields);
const stream = (fields) => completions.stream({ ...fields, ...include_usage }).finalChatCompletion();

// Runs the loop of the SDK.
async function runTools(fields) {
  const messages = [{ role: "user", content: QUESTION }];
  const runner = completions.runTools({ model: MODEL, messages, tools, ...fields });
  await runner.finalContent();
  return runner.allChatCompletions().map(seen);
}

async function main() {
  const response_format = zodResponseFormat(Report, "report");
  const loops = {
    create: await loop(whole),
    stream: await loop(stream),
    runTools: await runTools({}),
    "runTools, streamed": await runTools({ stream: true, ...include_usage }),
    "parse into a report": await loop(parse, { response_format }),
  };
  const messages = [{ role: "user", content: REPORT }];
  const completion = await parse({ model: MODEL, messages, response_format });
  printResults(loops, { parse: completion.choices[0].message.parsed });
}

main();
