// openai-node on the Responses API, streamed. Each request continues the stored response of the one before.
import { client } from "./gateway.mjs";
import { MAX_ROUNDS, SYSTEM, TOOL, history, image, outcome, prompt, save, show } from "./job.mjs";

const content = [{ type: "input_text", text: prompt }];
if (image) content.push({ type: "input_image", image_url: `data:image/png;base64,${image}`, detail: "auto" });
const tools = [
  { type: "function", name: TOOL.name, description: TOOL.description, parameters: TOOL.schema, strict: true },
];
let input = [{ role: "user", content }];
let previous_response_id = history?.id;

for (let round = 0; round < MAX_ROUNDS; round++) {
  const stream = client.responses.stream({
    model: "sonnet",
    instructions: SYSTEM,
    input,
    tools,
    previous_response_id,
    reasoning: { effort: "medium", summary: "auto" },
  });
  stream.on("response.output_text.delta", ({ delta }) => show(delta));
  stream.on("response.reasoning_summary_text.delta", ({ delta }) => show(delta));
  const response = await stream.finalResponse();
  previous_response_id = response.id;
  const calls = response.output.filter((item) => item.type === "function_call");
  if (!calls.length) break;
  input = calls.map((call) => ({
    type: "function_call_output",
    call_id: call.call_id,
    output: outcome(JSON.parse(call.arguments)).text,
  }));
}
save({ id: previous_response_id });
