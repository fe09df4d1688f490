// Progressive enhancement only: every page works without this file.
// It keeps relative times fresh, copies text, and looks after live regions (htmx swaps them).
(() => {
  "use strict";

  // Relative times, by the server's clock. environments/lib/dates.py says them in the same words.
  const served = document.querySelector("meta[name=server-time]");
  const skew = served ? Date.parse(served.content) - Date.now() : 0;
  const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  const units = [["day", 86400, 36 * 3600], ["hour", 3600, 90 * 60], ["minute", 60, 90], ["second", 1, 0]];

  function relative(seconds) {
    if (Math.abs(seconds) < 5) return seconds > 0 ? "in a moment" : "just now";
    const [unit, length] = units.find(([, , from]) => Math.abs(seconds) >= from);
    return words.format(Math.round(seconds / length), unit);
  }

  function tick() {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const seconds = (Date.parse(time.dateTime) - Date.now() - skew) / 1000;
      const text = time.dataset.relative === "next" && seconds < 5 ? "in a moment" : relative(seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // Copying: the buttons show only where the browser allows it.
  document.documentElement.classList.toggle("can-copy", Boolean(navigator.clipboard));
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  });

  // Live regions. An answer that is the same changes nothing, so that a selection stays; an open <details> does anyway.
  const shown = new Map();
  let opened = [];

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { xhr, target, pathInfo } = detail;
    const elsewhere = xhr.responseURL && new URL(xhr.responseURL).pathname !== pathInfo.requestPath.split("?")[0];
    if (elsewhere || xhr.status === 403 || xhr.status === 404) {
      location.reload(); // signed out, or no longer there: the whole page says so
      detail.shouldSwap = false;
      return;
    }
    const text = xhr.responseText.replace(/>[^<]*<\/time>/g, ">"); // times keep themselves fresh
    if (xhr.status < 400 && shown.get(target.id) === text) detail.shouldSwap = false;
    if (xhr.status < 400) shown.set(target.id, text);
    opened = [...document.querySelectorAll("details[id]")].map((item) => [item.id, item.open]);
  });

  document.addEventListener("htmx:afterSwap", () => {
    for (const [id, open] of opened) {
      const item = document.getElementById(id);
      if (item) item.open = open;
    }
    const live = document.getElementById("live");
    const status = document.getElementById("status");
    if (live && status && status.textContent !== live.dataset.status) status.textContent = live.dataset.status;
    if (live && live.dataset.title) document.title = live.dataset.title;
    tick();
  });

  // A portal that does not answer must not look like one that has nothing new.
  function stale(is) {
    const sentence = document.getElementById("stale");
    if (sentence) sentence.hidden = !is;
  }
  document.addEventListener("htmx:sendError", () => stale(true));
  document.addEventListener("htmx:timeout", () => stale(true));
  document.addEventListener("htmx:responseError", () => stale(true));
  document.addEventListener("htmx:afterOnLoad", ({ detail }) => { if (detail.xhr.status < 400) stale(false); });

  tick();
  setInterval(tick, 1000);
})();
