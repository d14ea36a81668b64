// The AI SDK on @ai-sdk/anthropic: `streamText` and `generateText` run the loop, `generateObject` parses.
"use strict";

const { createAnthropic } = require("@ai-sdk/anthropic");
const { generateObject, generateText, stepCountIs, streamText, tool } = require("ai");
const { z } = require("zod");
const { MODEL, MAX_ROUNDS, QUESTION, REPORT, baseURL, outcomes, round, printResults } = require("./toolbox.cjs");

globalThis.AI_SDK_LOG_WARNINGS = false; // they would be said on stdout

const model = createAnthropic({ baseURL, apiKey: "unused" })(MODEL);
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
const schema = z.object({ city: z.string(), degrees: z.number().int() });

const seen = ({ text, toolCalls, finishReason, usage, reasoningText }) =>
  round(
    text,
    toolCalls.map(({ toolName, input }) => [toolName, input]),
    finishReason,
    [usage.inputTokens, usage.outputTokens],
    reasoningText,
  );

async function main() {
  const loops = {
    streamText: (await streamText(asked).steps).map(seen),
    generateText: (await generateText(asked)).steps.map(seen),
  };
  const { object } = await generateObject({ model, schema, prompt: REPORT, maxRetries: 0 });
  printResults(loops, { generateObject: object });
}

main();
