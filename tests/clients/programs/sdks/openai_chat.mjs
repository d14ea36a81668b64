// openai-node on chat completions, streamed.
import { client } from "./gateway.mjs";
import { MAX_ROUNDS, SYSTEM, TOOL, history, image, outcome, prompt, save, show } from "./job.mjs";

const content = image
  ? [
      { type: "text", text: prompt },
      { type: "image_url", image_url: { url: `data:image/png;base64,${image}` } },
    ]
  : prompt;
const messages = [...(history ?? [{ role: "system", content: SYSTEM }]), { role: "user", content }];
const tools = [
  { type: "function", function: { name: TOOL.name, description: TOOL.description, parameters: TOOL.schema } },
];

for (let round = 0; round < MAX_ROUNDS; round++) {
  const stream = client.chat.completions.stream({ model: "sonnet", messages, tools });
  stream.on("content", show);
  const { message } = (await stream.finalChatCompletion()).choices[0];
  messages.push(message);
  if (!message.tool_calls?.length) break;
  for (const call of message.tool_calls) {
    const { text } = outcome(JSON.parse(call.function.arguments));
    messages.push({ role: "tool", tool_call_id: call.id, content: text });
  }
}
save(messages);
