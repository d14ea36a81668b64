// A small chat with one model: streamed, with images, with a tool that runs in the browser, and with agents that ask.
const MAX_ROUNDS = 5;
const GET_TIME = {
  type: "function",
  function: {
    name: "get_time",
    description: "The date and time now, in a time zone.",
    parameters: {
      type: "object",
      properties: { time_zone: { type: "string", description: "IANA name, such as Asia/Tokyo" } },
      required: ["time_zone"],
    },
  },
};

const form = document.getElementById("chat");
const log = document.getElementById("messages");
const { model, effort, image, tool, project, question, stop, clear } = form.elements;
const send = form.querySelector("[type=submit]");
let messages = [];
let running = null;

function element(parent, tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

function addBubble(role) {
  const made = element(log, "article", `message ${role}`);
  element(made, "h4", "", { user: "You", assistant: "Model", tool: "Tool", approval: "Approval" }[role]);
  return made;
}

function fileUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

async function ask() {
  const parts = [{ type: "text", text: question.value }];
  const shown = addBubble("user");
  element(shown, "div", "text", question.value);
  if (image.files[0]) {
    const url = await fileUrl(image.files[0]);
    parts.unshift({ type: "image_url", image_url: { url } });
    Object.assign(element(shown, "img", ""), { src: url, alt: image.files[0].name });
  }
  messages.push({ role: "user", content: parts });
  question.value = image.value = "";
  for (let round = 0; round < MAX_ROUNDS; ) {
    const message = await answer();
    messages.push(message);
    if (!message.tool_calls) return;
    const asks = message.tool_calls[0].function.name === "ask_permission";
    if (!asks) round++;
    const results = asks ? await Promise.all(message.tool_calls.map(decide)) : message.tool_calls.map(useTool);
    messages.push(...results);
  }
  throw new Error(`The model called tools ${MAX_ROUNDS} times in a row. The chat stops here.`);
}

function useTool(call) {
  let result;
  try {
    const { time_zone: timeZone } = JSON.parse(call.function.arguments);
    result = new Date().toLocaleString("en-GB", { timeZone, dateStyle: "full", timeStyle: "long" });
  } catch (error) {
    result = `Error: ${error.message}`;
  }
  element(addBubble("tool"), "div", "text", result);
  return { role: "tool", tool_call_id: call.id, content: result };
}

// Shows a card for a request of an agent, and resolves to the tool message with the decision.
function decide(call) {
  const { kind, tool: name, arguments: given } = JSON.parse(call.function.arguments);
  const card = addBubble("approval");
  const titles = { tool: `May the agent use ${name}?`, question: "The agent asks", plan: "Accept this plan?" };
  element(card, "h5", "", titles[kind] ?? titles.tool);
  const questions = kind === "question" ? (given.questions ?? []) : [];
  const inputs = questions.map((each) => addQuestion(card, each));
  if (!questions.length) element(card, "pre", "", given.plan ?? describe(given));
  return new Promise((resolve, reject) => {
    const row = element(card, "div", "row");
    const decided = (decision, extra = {}) => {
      row.remove();
      element(card, "p", "hint", { allow: questions.length ? "Answered" : "Allowed", always: "Always allowed", deny: "Denied" }[decision]);
      for (const input of inputs) input.disabled = true;
      resolve({ role: "tool", tool_call_id: call.id, content: JSON.stringify({ decision, ...extra }) });
    };
    const addButton = (text, className, onClick) => {
      const button = element(row, "button", className, text);
      button.type = "button";
      button.addEventListener("click", onClick);
      return button;
    };
    const answers = () => Object.fromEntries(questions.map((each, index) => [each.question, inputs[index].value]));
    const allow = addButton(questions.length ? "Answer" : "Allow", "", () =>
      decided("allow", questions.length ? { answers: answers() } : {}),
    );
    if (kind === "tool") addButton("Always", "quiet", () => decided("always"));
    addButton("Deny", "quiet", () => decided("deny"));
    running.signal.addEventListener("abort", () => {
      row.remove();
      reject(new DOMException("Stopped.", "AbortError"));
    });
    card.scrollIntoView({ block: "nearest" });
    (inputs[0] ?? allow).focus({ preventScroll: true });
  });
}

function describe(given) {
  return Object.entries(given)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value, null, 2)}`)
    .join("\n");
}

function addQuestion(card, { question: text, options = [] }) {
  const label = element(card, "label", "", text);
  const input = element(label, "input", "");
  input.setAttribute("list", `options-${document.querySelectorAll("datalist").length}`);
  const list = element(label, "datalist", "");
  list.id = input.getAttribute("list");
  for (const option of options) element(list, "option", "").value = option.label;
  input.placeholder = options.map((option) => option.label).join(", ");
  return input;
}

async function answer() {
  const began = performance.now();
  const response = await fetch(form.dataset.url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": form.dataset.csrf },
    body: JSON.stringify(request()),
    signal: running.signal,
  });
  if (!response.ok) throw new Error(await errorText(response));
  const view = new AnswerView(began);
  for await (const chunk of chunks(response.body)) {
    if (chunk.error) throw new Error(chunk.error.message);
    view.add(chunk);
  }
  return view.message;
}

function request() {
  const body = { messages, stream: true, stream_options: { include_usage: true } };
  if (model.value) body.model = model.value;
  if (effort.value) body.reasoning_effort = effort.value;
  if (project?.value) body.project_id = project.value;
  else if (tool.checked) body.tools = [GET_TIME];
  return body;
}

async function errorText(response) {
  if (response.status === 401) return "You are signed out. Reload the page to sign in.";
  const text = await response.text();
  try {
    return JSON.parse(text).error.message;
  } catch {
    return `The gateway answered ${response.status}.`;
  }
}

async function* chunks(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("The answer broke off.");
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "data: [DONE]") return;
      if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
    }
  }
}

// Shows an answer while it arrives, and collects it as a message to send back.
class AnswerView {
  constructor(began) {
    this.message = { role: "assistant", content: "" };
    this.began = began;
    this.first = null;
    this.box = addBubble("assistant");
  }

  add(chunk) {
    const delta = chunk.choices[0]?.delta ?? {};
    if (delta.reasoning_content || delta.content || delta.tool_calls) this.first ??= performance.now();
    if (delta.reasoning_content) this.part("thinking").textContent += delta.reasoning_content;
    if (delta.content) this.part("text").textContent = this.message.content += delta.content;
    for (const call of delta.tool_calls ?? []) this.addCall(call);
    if (chunk.usage) element(this.box, "p", "hint", this.figures(chunk));
    this.box.scrollIntoView({ block: "nearest" });
  }

  addCall({ index, id, function: part }) {
    const calls = (this.message.tool_calls ??= []);
    const call = (calls[index] ??= { id, type: "function", function: { name: part.name, arguments: "" } });
    call.function.arguments += part.arguments ?? "";
    if (call.function.name === "ask_permission") return; // a card shows it
    this.part(`call call-${index}`).textContent = `${call.function.name}(${call.function.arguments})`;
  }

  part(name) {
    const found = this.box.querySelector(`.${name.split(" ").pop()}`);
    if (found) return found;
    if (name !== "thinking") return element(this.box, "div", name);
    const details = element(this.box, "details", "");
    details.open = true;
    element(details, "summary", "", "Reasoning");
    return element(details, "div", name);
  }

  figures({ model: by, usage }) {
    const now = performance.now();
    const cached = usage.prompt_tokens_details.cached_tokens;
    const facts = [by, `${usage.prompt_tokens} prompt tokens${cached ? ` (${cached} cached)` : ""}`];
    facts.push(`${usage.completion_tokens} answer tokens`);
    if (usage.cost !== undefined) facts.push(`$${usage.cost.toFixed(4)}`);
    if (this.first) facts.push(`first token after ${((this.first - this.began) / 1000).toFixed(2)} s`);
    facts.push(`${((now - this.began) / 1000).toFixed(1)} s in total`);
    return facts.join(" · ");
  }
}

function setBusy(busy) {
  send.disabled = clear.disabled = busy;
  stop.hidden = !busy;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  running = new AbortController();
  setBusy(true);
  const before = messages.length;
  try {
    await ask();
  } catch (error) {
    messages.length = before; // a failed message is dropped, so that the next one continues a valid conversation
    const text = error.name === "AbortError" ? "Stopped." : error.message;
    element(log, "p", "notice bad", text).setAttribute("role", "alert");
  } finally {
    running = null;
    setBusy(false);
    question.focus();
  }
});

question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
stop.addEventListener("click", () => running?.abort());
clear.addEventListener("click", () => {
  messages = [];
  log.replaceChildren();
});
setBusy(false); // The button is enabled only now: without this script the form would put the message into the URL
