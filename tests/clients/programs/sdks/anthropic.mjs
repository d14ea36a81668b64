// Anthropic's SDK for Node: `toolRunner` runs the loop, streamed.
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

import { client } from "./gateway.mjs";
import { MAX_ROUNDS, SYSTEM, TOOL, history, image, prompt, run, save, show } from "./job.mjs";

const content = [{ type: "text", text: prompt }];
if (image) {
  content.push({ type: "image", source: { type: "base64", media_type: "image/png", data: image } });
}
const runner = client.beta.messages.toolRunner({
  model: "sonnet",
  max_tokens: 16000,
  system: SYSTEM,
  thinking: { type: "adaptive" },
  messages: [...(history ?? []), { role: "user", content }],
  tools: [betaTool({ name: TOOL.name, description: TOOL.description, inputSchema: TOOL.schema, run })],
  max_iterations: MAX_ROUNDS,
  stream: true,
});
let last;
for await (const stream of runner) {
  stream.on("text", show);
  stream.on("thinking", show);
  last = await stream.finalMessage();
}
save([...runner.params.messages.filter((message) => message !== last), { role: last.role, content: last.content }]);
