// The same as toolbox.py, for clients on Node.
"use strict";

const outcomes = {
  get_weather: ({ city }) => `21 °C in ${city}`,
  send_mail: ({ to }) => {
    throw new Error(`There is no mailbox ${to[0]}.`);
  },
};

module.exports = {
  MODEL: "sonnet",
  QUESTION: "Mail Ann the weather in Paris and in 東京.",
  REPORT: "Report on Paris.",
  MAX_ROUNDS: 5,
  baseURL: `${process.argv[2]}/v1`,
  outcomes,
  // Returns the result of a call that the client sends back. A failure is a text too.
  outcome(name, given) {
    try {
      return outcomes[name](given);
    } catch (error) {
      return `Error: ${error.message}`;
    }
  },
  // Returns one answer of the model as a client saw it: calls are [name, arguments], usage is [prompt, answer] in tokens.
  round: (text, calls, finish, usage, thought) => ({
    text: text ?? "",
    calls,
    finish,
    usage,
    thought: thought ?? "",
  }),
  printResults: (loops, parsed) => console.log(JSON.stringify({ loops, parsed })),
};
