// What all pages do: the menu on a phone, notices about parts that cannot be refreshed, copying, and help with forms.
// Without it, the pages work with plain links and forms.
import { addCopyButtons } from "./copy.js";

const menu = document.querySelector(".menu");
if (menu) {
  menu.hidden = !matchMedia("(max-width: 56rem)").matches;
  matchMedia("(max-width: 56rem)").addEventListener("change", (event) => (menu.hidden = !event.matches));
  menu.addEventListener("click", () => {
    menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") !== "true"));
  });
}

// Parts with data-poll ask again and again, but not while nobody looks, and not while the reader is inside.
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  if ("poll" in part.dataset && (document.hidden || part.contains(document.activeElement))) event.preventDefault();
});

function showNotice(text) {
  const notice = document.getElementById("stale");
  if (!notice || notice.textContent === text) return;
  notice.textContent = text;
  notice.hidden = !text;
}

document.addEventListener("htmx:sendError", () => showNotice("The gateway cannot be reached. The figures below are old."));
document.addEventListener("htmx:responseError", ({ detail: { xhr } }) =>
  showNotice(
    xhr.status === 401
      ? "You are signed out. Reload the page to sign in."
      : `The gateway answered ${xhr.status}. The figures below are old.`,
  ),
);
document.addEventListener("htmx:afterOnLoad", ({ detail: { xhr } }) => xhr.status < 400 && showNotice(""));
document.addEventListener("htmx:load", (event) => addCopyButtons(event.target));

// A text in a list of names makes the choice "Only these".
document.addEventListener("input", ({ target }) => {
  const rule = target.dataset.chooses;
  if (rule) target.form.elements[rule].value = "some";
});

// A button with data-busy says that its form was sent, because the answer takes a while.
document.addEventListener("submit", ({ submitter }) => {
  if (!submitter?.dataset.busy) return;
  submitter.textContent = submitter.dataset.busy;
  submitter.disabled = true;
});

// A page that is the answer to a form has the address of another one: a reload must not send the form again.
const home = document.querySelector("[data-reload-to]");
if (home) history.replaceState(null, "", home.dataset.reloadTo);

// The mistakes in a form are read out and seen first.
document.getElementById("problems")?.focus();

addCopyButtons(document);
