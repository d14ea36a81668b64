// Refreshes the part of the page that changes all the time. Without this script the page shows the state when it loaded.
const PAUSE_MS = 2000;
const live = document.getElementById("live");
const stale = document.getElementById("stale");

function showNotice(text) {
  stale.textContent = text;
  stale.hidden = !text;
}

async function refresh() {
  let response;
  try {
    response = await fetch(live.dataset.url);
  } catch {
    return showNotice("The gateway cannot be reached. The figures below are old.");
  }
  if (response.status === 401) return showNotice("You are signed out. Reload the page to sign in.");
  if (!response.ok) return showNotice(`The gateway answered ${response.status}. The figures below are old.`);
  live.innerHTML = await response.text(); // made by the gateway's own template, which escapes all values
  showNotice("");
}

async function refreshForever() {
  if (!document.hidden) await refresh();
  setTimeout(refreshForever, PAUSE_MS);
}

setTimeout(refreshForever, PAUSE_MS);
