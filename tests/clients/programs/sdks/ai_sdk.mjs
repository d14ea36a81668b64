// The AI SDK: `streamText` runs the loop. The model is of any provider.
import { jsonSchema, stepCountIs, streamText, tool } from "ai";

import { model } from "./gateway.mjs";
import { MAX_ROUNDS, SYSTEM, TOOL, history, image, prompt, run, save, show } from "./job.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const content = [{ type: "text", text: prompt }];
if (image) content.push({ type: "image", image, mediaType: "image/png" });
const messages = [...(history ?? []), { role: "user", content }];
const tools = {
  [TOOL.name]: tool({ description: TOOL.description, inputSchema: jsonSchema(TOOL.schema), execute: run }),
};

const result = streamText({
  model,
  system: SYSTEM,
  messages,
  tools,
  stopWhen: stepCountIs(MAX_ROUNDS),
  onError: ({ error }) => {
    throw error;
  },
});
for await (const part of result.fullStream) {
  if (part.type === "text-delta" || part.type === "reasoning-delta") show(part.text);
}
const answers = (await result.responseMessages) ?? (await result.response).messages; // version 7, version 6
save([...messages, ...answers]);
