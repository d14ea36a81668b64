// OpenAI's Agents SDK, whose `run` runs the loop on the Responses API.
import { run as runAgent, tool } from "@openai/agents";

import { agent } from "./gateway.mjs";
import { MAX_ROUNDS, SYSTEM, TOOL, history, image, outcome, prompt, save, show } from "./job.mjs";

agent.instructions = SYSTEM;
agent.tools = [
  tool({
    name: TOOL.name,
    description: TOOL.description,
    parameters: TOOL.schema,
    execute: (given) => outcome(given).text,
  }),
];
const content = [{ type: "input_text", text: prompt }];
if (image) content.push({ type: "input_image", image: `data:image/png;base64,${image}` });

const input = [...(history ?? []), { role: "user", content }];
const result = await runAgent(agent, input, { stream: true, maxTurns: MAX_ROUNDS });
for await (const text of result.toTextStream()) show(text);
await result.completed;
save(result.history);
