// The AI SDK: `streamText` and `generateText` run the loop, `generateObject` parses. On @ai-sdk/openai-compatible, or with
// `responses` on @ai-sdk/openai, which speaks the Responses API by default.
"use strict";

const { createOpenAI } = require("@ai-sdk/openai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const { generateObject, generateText, stepCountIs, streamObject, streamText, tool } = require("ai");
const { z } = require("zod");
const { MODEL, MAX_ROUNDS, QUESTION, REPORT, baseURL, outcomes, round, printResults } = require("./toolbox.cjs");

globalThis.AI_SDK_LOG_WARNINGS = false; // it would say on stdout that `withoutSchemas` puts the schema into the prompt

const Report = z.object({ city: z.string(), degrees: z.number().int() });
const options = { name: "gateway", baseURL, apiKey: "unused", includeUsage: true };
const onResponses = process.argv.includes("responses");
const model = onResponses
  ? createOpenAI({ baseURL, apiKey: "unused" })(MODEL)
  : createOpenAICompatible({ ...options, supportsStructuredOutputs: true })(MODEL);
const withoutSchemas = createOpenAICompatible(options)(MODEL);
const tools = {
  get_weather: tool({
    description: "The weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: outcomes.get_weather,
  }),
  send_mail: tool({
    description: "Send a mail about something.",
    inputSchema: z.object({ to: z.array(z.string()), subject: z.string() }),
    execute: outcomes.send_mail,
  }),
};
const asked = { model, tools, prompt: QUESTION, stopWhen: stepCountIs(MAX_ROUNDS), maxRetries: 0 };
const reported = { schema: Report, prompt: REPORT, maxRetries: 0 };

const seen = ({ text, toolCalls, finishReason, usage, reasoningText }) =>
  round(
    text,
    toolCalls.map(({ toolName, input }) => [toolName, input]),
    finishReason,
    [usage.inputTokens, usage.outputTokens],
    reasoningText,
  );

async function streamed() {
  const result = streamText(asked);
  let text = "";
  for await (const delta of result.textStream) text += delta;
  const steps = await result.steps;
  if (text !== steps.map((step) => step.text).join("")) throw new Error(`the deltas say: ${text}`);
  return steps.map(seen);
}

async function objectStreamed() {
  const result = streamObject({ model, ...reported });
  let last;
  for await (const partial of result.partialObjectStream) last = partial;
  return last;
}

async function main() {
  const loops = {
    streamText: await streamed(),
    generateText: (await generateText(asked)).steps.map(seen),
  };
  const parsed = {
    generateObject: (await generateObject({ model, ...reported })).object,
    "generateObject without schemas": (await generateObject({ model: withoutSchemas, ...reported })).object,
    streamObject: await objectStreamed(),
  };
  printResults(loops, parsed);
}

main();
