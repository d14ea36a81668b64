// Adds a button to each text with data-copy, and to each code in one with data-copies, which copies it. Without this script the texts can be selected.
const SHOWN_MS = 1500;

async function copy(element) {
  if (navigator.clipboard) return navigator.clipboard.writeText(element.textContent); // https and localhost only
  getSelection().selectAllChildren(element);
  const done = document.execCommand("copy");
  getSelection().removeAllRanges();
  if (!done) throw new Error("The browser refused to copy.");
}

export function addCopyButtons(root) {
  for (const element of root.querySelectorAll(":is([data-copy], [data-copies] code):not([data-has-copy])")) {
    element.dataset.hasCopy = "";
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
}
