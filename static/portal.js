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
    const label = [...button.childNodes];
    button.replaceChildren("Copied");
    setTimeout(() => button.replaceChildren(...label), 1500);
  });

  // One box for all on the page.
  document.addEventListener("change", ({ target }) => {
    const name = target.dataset?.all;
    for (const box of name ? document.querySelectorAll(`input[name="${name}"]`) : []) box.checked = target.checked;
  });

  // Live regions. An answer that is the same changes nothing, so that a selection stays. After news, what was open is
  // open, what had the focus has it, what was read is where it was, and bars keep the order in which they were.
  const shown = new Map();
  let before = null;

  function remember() {
    const inView = (item) => { const box = item.getBoundingClientRect(); return box.height && box.bottom > 0; };
    const read = window.scrollY > 0 && [...document.querySelectorAll("#live [id]")].find(inView);
    return {
      opened: [...document.querySelectorAll("details[id]")].map((item) => [item.id, item.open]),
      focused: document.activeElement.id,
      read: read ? [read.id, read.getBoundingClientRect().top] : null,
      bars: [...document.querySelectorAll(".quota [data-resource]")].map((bar) => bar.dataset.resource),
    };
  }

  function restore({ opened, focused, read, bars }) {
    for (const [id, open] of opened) {
      const item = document.getElementById(id);
      if (item) item.open = open;
    }
    for (const list of document.querySelectorAll(".quota")) {
      const place = (bar) => (bars.includes(bar.dataset.resource) ? bars.indexOf(bar.dataset.resource) : bars.length);
      list.append(...[...list.children].sort((one, other) => place(one) - place(other)));
    }
    const again = focused && document.getElementById(focused);
    if (again && document.activeElement !== again) again.focus({ preventScroll: true });
    const item = read && document.getElementById(read[0]);
    if (item) window.scrollBy({ top: item.getBoundingClientRect().top - read[1], behavior: "instant" });
  }

  // What is settled is not looked at while nobody sees it, and at once when somebody does.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && "rests" in event.detail.elt.dataset) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) window.htmx?.trigger(document.body, "look"); });

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { xhr, target, pathInfo } = detail;
    const elsewhere = xhr.responseURL && new URL(xhr.responseURL).pathname !== pathInfo.requestPath.split("?")[0];
    if (elsewhere || xhr.status === 403 || xhr.status === 404) {
      location.reload(); // signed out, or no longer there: the whole page says so
      detail.shouldSwap = false;
      return;
    }
    // Times keep themselves fresh, and a form's token is another one each time.
    const text = xhr.responseText.replace(/>[^<]*<\/time>|name="csrfmiddlewaretoken" value="[^"]*"/g, "");
    if (xhr.status < 400 && shown.get(target.id) === text) detail.shouldSwap = false;
    if (xhr.status < 400) shown.set(target.id, text);
    before = remember();
  });

  document.addEventListener("htmx:afterSwap", () => {
    if (before) restore(before);
    before = null;
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

  // The admin's fields that search rows are drawn as other elements, at a time of their own, with no label while empty.
  function nameSearches() {
    for (const select of document.querySelectorAll("select.admin-autocomplete")) {
      const field = select.parentElement.querySelector(select.multiple ? ".select2-search__field" : ".select2-selection__rendered");
      if (field && select.labels.length) field.setAttribute("aria-label", select.labels[0].textContent.trim().replace(/:$/, ""));
    }
  }
  if (document.querySelector("select.admin-autocomplete")) {
    new MutationObserver(nameSearches).observe(document.body, { childList: true, subtree: true });
    nameSearches();
  }

  // A page that follows a test loads itself again while somebody sees it; without scripts, its noscript part does.
  const again = document.querySelector("meta[name=reload-after]");
  if (again) setInterval(() => { if (!document.hidden) location.reload(); }, again.content * 1000);

  tick();
  setInterval(tick, 1000);
})();
