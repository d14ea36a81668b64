// Adds a button to each text with data-copy, which copies it. Without this script the texts can be selected.
const SHOWN_MS = 1500;

async function copy(element) {
  if (navigator.clipboard) return navigator.clipboard.writeText(element.textContent); // https and localhost only
  getSelection().selectAllChildren(element);
  const done = document.execCommand("copy");
  getSelection().removeAllRanges();
  if (!done) throw new Error("The browser refused to copy.");
}

for (const element of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await copy(element);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it, and press Ctrl+C";
    }
    setTimeout(() => (button.textContent = "Copy"), SHOWN_MS);
  });
  element.after(button);
}
