// Keeps the part of the page up to date that changes all the time. Without it the page shows the state at its loading.
const PAUSE_MS = 2000;
const live = document.getElementById("live");
const stale = document.getElementById("stale");

function tell(text) {
  stale.textContent = text;
  stale.hidden = !text;
}

async function refresh() {
  let response;
  try {
    response = await fetch(live.dataset.url);
  } catch {
    return tell("The gateway cannot be reached. The figures below are old.");
  }
  if (response.status === 401) return tell("You are signed out. Reload the page to sign in.");
  if (!response.ok) return tell(`The gateway answered ${response.status}. The figures below are old.`);
  live.innerHTML = await response.text(); // made by the gateway's own template, which escapes all values
  tell("");
}

async function keepUp() {
  if (!document.hidden) await refresh();
  setTimeout(keepUp, PAUSE_MS);
}

setTimeout(keepUp, PAUSE_MS);
